# Plain `make` prints this menu.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0

.PHONY: help build run test race cluster failover chaos clients oracle kill powercut disk measure bench lint tidy fuzz model bounded install clean
.PHONY: hostile overload sim mutations soak spec vuln licences cross full

help: ## this menu
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

build: ## build bin/brokerd
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/brokerd ./cmd/brokerd

run: build ## start one broker on this machine (Ctrl-C stops it)
	./bin/brokerd server

test: build ## every unit, model and end-to-end test in Go
	$(GO) vet ./...
	$(GO) test ./...

race: ## the same under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

FUZZTIME ?= 100000x
SLICE    ?= 0/1
fuzz: ## fuzz every decoder, FUZZTIME (executions, or a time) each; SLICE=1/4: the second of every four; then what the saved inputs run of each
	SLICE=$(SLICE) scripts/fuzz $(FUZZTIME)
	scripts/decoders

SEEDS ?= 2000
model: ## the log against its model, with crashes, for SEEDS seeds
	$(GO) test -count 1 -timeout 120m -v -run 'TestModel$$' ./internal/storage -args -seeds $(SEEDS)

CHANGES ?= 1000000
bounded: ## CHANGES changes of the metadata: its files stay as large as what is kept (make test makes fewer)
	$(GO) test -count 1 -timeout 60m -v -run 'TestFilesStayBounded$$' ./internal/controller -args -changes $(CHANGES)

STEPS ?= 20000
FIRST ?= 1
sim: ## the cores of a cluster under faults, SEEDS histories of STEPS steps from seed FIRST on
	$(GO) test -count 1 -timeout 24h -v -run 'TestCore$$' ./internal/sim -args -seeds $(SEEDS) -steps $(STEPS) -first $(FIRST)

mutations: ## switch each safety rule off: the simulator must notice, and says after how many seeds
	$(GO) test -tags mutate -count 1 -timeout 60m -v -run 'TestMutations|TestSavedMutations|TestJ' ./internal/sim

# CLIENT and CASE choose by regular expression, SLICE=0/3 takes every third client, AGAINST=kafka asks Apache Kafka instead.
clients: build ## 20 unmodified Kafka clients through one list of cases (CLIENT= CASE= SLICE= AGAINST=kafka)
	scripts/clients
	$(if $(filter kafka,$(AGAINST)),scripts/kafka install)
	CLIENT='$(CLIENT)' CASE='$(CASE)' SLICE='$(SLICE)' AGAINST='$(AGAINST)' \
	  $(GO) test -tags clients -count 1 -timeout 30m -parallel 3 ./test/clients
	@cat .cache/clients/matrix.txt

oracle: build ## the same requests, files and words to a real Apache Kafka and to us
	scripts/kafka install
	$(GO) test -tags oracle -count 1 -timeout 10m ./test/oracle

cluster: build ## several nodes as real processes: they form, grow, die, come back (CASE= chooses; SLICE=0/2: every second of the long tests)
	$(GO) test -tags cluster -count 1 -timeout 20m -v -run '$(or $(CASE),.)' ./test/cluster -args -slice $(SLICE)

failover: build ## end KILLS leaders (killed, the controller too, stopped in order) and print how long their partitions stood still
	scripts/clients java
	$(GO) test -tags cluster -count 1 -timeout 60m -v -run TestFailover ./test/cluster -args -failovers $(KILLS) -java $(CURDIR)/.cache/clients/java-2.3.0

KILLS ?= 100
kill: build ## kill -9 the broker KILLS times under load and audit every acknowledged record
	$(GO) test -tags chaos -count 1 -timeout 60m -v -run TestKill ./test/chaos -args -kills $(KILLS)

CUTS ?= 50
powercut: build ## cut the power of the broker's disk CUTS times, and a tenth as often of three brokers with 1,000 partitions (root: loop images)
	$(GO) test -tags chaos -count 1 -timeout 60m -v -run TestPowerCut ./test/chaos -args -cuts $(CUTS)

disk: build ## a full disk and a failing fsync, for real (root, strace)
	$(GO) test -tags chaos -count 1 -v -run 'TestDiskFull|TestSyncError' ./test/chaos

CASES ?= 50000
SEED  ?= 1
hostile: build ## CASES hostile inputs over real sockets, and the judge of them judged
	$(GO) test -tags hostile -count 1 -timeout 30m -v -run 'TestHostile|TestPlanted|TestSlow' ./test/hostile -args -cases $(CASES) -seed $(SEED)

spec: build ## the client written from docs/protocol.md alone
	$(GO) test -tags clients -count 1 -v ./test/spec

OVERLOAD ?= 5m
overload: build ## ten times more than can be served for OVERLOAD, and 10,000 connections that reconnect at once
	$(GO) test -tags hostile -count 1 -timeout 30m -v -run 'TestOverload$$' ./test/hostile -args -overload $(OVERLOAD)

MINUTES ?= 30
chaos: build ## MINUTES of faults on three nodes with networks and disks of their own, every replica audited (root; SCHEDULE=n, FAULT=regexp, RECORD=1 adds it to docs/chaos.md)
	$(GO) test -tags chaos -count 1 -timeout $$(($(MINUTES) + 10))m -v -run 'TestThree|TestAuditor' ./test/chaos -args -minutes $(MINUTES) -seed $(or $(SCHEDULE),0) -fault '$(FAULT)' \
	  $(if $(RECORD),-totals $(CURDIR)/docs/chaos.md)

soak: build ## MINUTES of mixed load; goroutines, descriptors and memory must be flat
	$(GO) test -tags hostile -count 1 -timeout $$(($(MINUTES) + 10))m -v -run 'TestSoak$$' ./test/hostile -args -soak $(MINUTES)m

measure: build ## start time, idle memory and CPU, and how the bytes of a fetch leave (strace)
	$(GO) test -tags measure -count 1 -v ./test/measure

SCENARIO ?= smoke
ROUNDS   ?= 5
SECTION  ?= 700ms
WARM     ?= 60s
bench: build ## brokerd, Apache Kafka and the kernel's floor in one run: SCENARIO=S1 … S16, S4x3 or smoke (CELL='isr 256' chooses rows, RECORD=1 adds them to docs/benchmarks.md)
	scripts/kafka install
	$(GO) test -tags bench -count 1 -timeout 40m -v -run 'TestBench|TestPlaces' ./test/bench -args \
	  -scenario $(SCENARIO) -rounds $(ROUNDS) -section $(SECTION) -warm $(WARM) $(if $(CELL),-cell '$(CELL)') $(if $(RECORD),-record)

vuln: ## known vulnerabilities in what the binary calls
	scripts/vuln

licences: ## the licence of every module in the binary
	scripts/licences

PLATFORMS = darwin/arm64 darwin/amd64 linux/arm64
cross: ## build for the other platforms, and vet for one of them
	@for p in $(PLATFORMS); do \
	  echo "$$p"; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -o dist/brokerd-$${p%/*}-$${p#*/} ./cmd/brokerd || exit 1; done
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...

full: ## everything whole, for hours; the result goes to docs/full.md
	scripts/full

lint: ## gofmt, vet, staticcheck, go mod tidy
	scripts/lint

tidy:
	$(GO) mod tidy

install: build ## copy the binary to PREFIX/bin (default /usr/local); brokerd install-aliases makes Kafka's names
	install -D bin/brokerd $(or $(PREFIX),/usr/local)/bin/brokerd

clean: ## remove what was built
	rm -rf bin dist
