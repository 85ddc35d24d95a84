"""A client written from docs/protocol.md and docs/format/record-batch.md alone.

client.py HOST:PORT creates a topic, produces, fetches, and asks how far the topic's
replicas are. What it would have to guess is missing on the pages.
"""
import socket, struct, sys, time, uuid

def num(form, *values):
    return struct.pack(">" + form, *values)

def string(s):
    return num("h", -1) if s is None else num("h", len(s)) + s.encode()

def uvarint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + uvarint(n >> 7)

def varint(n):  # zigzag
    return uvarint(n * 2 if n >= 0 else -n * 2 - 1)

def compact(s):
    return uvarint(len(s) + 1) + s.encode()

class Reader:
    def __init__(self, p):
        self.p, self.at = p, 0

    def take(self, n):
        self.at += n
        return self.p[self.at - n:self.at]

    def num(self, form):
        values = struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))
        return values if len(values) > 1 else values[0]

    def string(self):
        return self.take(max(self.num("h"), 0)).decode()

    def array(self, read):
        return [read() for _ in range(self.num("i"))]

    def uvarint(self):
        byte = self.take(1)[0]
        return byte if byte < 128 else byte - 128 + (self.uvarint() << 7)

    def varint(self):
        n = self.uvarint()
        return n >> 1 ^ -(n & 1)

    def compact(self):
        return self.take(self.uvarint() - 1).decode()

    def tagged(self, *values):  # the end of a structure
        for _ in range(self.uvarint()):
            self.uvarint(), self.take(self.uvarint())
        return values

    def compact_array(self, read):
        return [read() for _ in range(self.uvarint() - 1)]

class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.stream, self.asked = self.socket.makefile("rb"), 0

    def ask(self, key, version, body, flexible=False):
        self.asked += 1
        header = num("hhi", key, version, self.asked) + string("spec") + (b"\0" if flexible else b"")
        self.socket.sendall(num("i", len(header + body)) + header + body)
        r = Reader(self.stream.read(struct.unpack(">i", self.stream.read(4))[0]))
        assert r.num("i") == self.asked, "answers come in order"
        return r if not flexible or key == 18 else (r.tagged(), r)[1]

    def serves(self):
        r = self.ask(18, 3, compact("brokerd") + compact("1") + b"\0", flexible=True)
        assert r.num("h") == 0
        return {key: (low, high) for key, low, high in r.compact_array(lambda: r.tagged(*r.num("hhh")))}

    def create(self, topic):
        r = self.ask(19, 2, num("i", 1) + string(topic) + num("ih", 1, 1) + num("ii", 0, 0) + num("i?", 5000, False))
        r.num("i")
        return r.array(lambda: (r.string(), r.num("h"), r.string()))[0][1:]

    def produce(self, topic, p):
        r = self.ask(0, 3, string(None) + num("hii", -1, 5000, 1) + string(topic) + num("iii", 1, 0, len(p)) + p)
        return r.array(lambda: (r.string(), r.array(lambda: r.num("ihqq"))))[0][1][0][1:3]

    def fetch(self, topic, offset):
        r = self.ask(1, 4, num("iiiib", -1, 500, 1, 1 << 20, 0) + num("i", 1) + string(topic) + num("iiqi", 1, 0, offset, 1 << 20))
        r.num("i")
        def partition():
            _, error, high, _ = r.num("ihqq")
            r.take(16 * max(r.num("i"), 0))  # aborted transactions
            return error, high, r.take(max(r.num("i"), 0))
        return r.array(lambda: (r.string(), r.array(partition)))[0][1][0]

    def replicas(self, topic):
        r = self.ask(10000, 0, uvarint(2) + compact(topic) + uvarint(0) + b"\0" + b"\0", flexible=True)
        assert r.num("ih")[1] == 0 and r.uvarint() == 0  # no message
        def partition():
            return r.tagged(r.num("ihiiqqq"), r.compact_array(lambda: r.tagged(*r.num("ibqqqq"))))
        return r.compact_array(lambda: r.tagged(r.compact(), r.take(16), r.num("h"), r.compact_array(partition)))[0]

def crc32c(p):
    crc = 0xFFFFFFFF
    for bit in range(8 * len(p)):
        crc ^= 0 if bit % 8 else p[bit // 8]
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def batch(values):
    now = int(time.time() * 1000)
    body = num("hiqqqhii", 0, len(values) - 1, now, now, -1, -1, -1, len(values))
    for i, v in enumerate(values):
        record = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(v)) + v + varint(0)
        body += varint(len(record)) + record
    return num("qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body

def records(p):
    r = Reader(p)
    while r.at < len(p):
        base, length, _, _, crc = r.num("qiibI")
        assert crc == crc32c(p[r.at:r.at + length - 9])
        for _ in range(r.num("hiqqqhii")[-1]):
            r.varint(), r.take(1), r.varint()
            offset, _ = base + r.varint(), r.take(max(r.varint(), 0))
            yield offset, r.take(r.varint())
            assert r.varint() == 0, "headers that nobody sent"

def case(name, got, want):
    print("ok" if got == want else "FAIL", name, "" if got == want else f": {got}, not {want}")
    return got == want

c, topic = Client(sys.argv[1]), "spec-" + uuid.uuid4().hex[:8]
keys = c.serves()
ok = [
    case("ApiVersions", {0, 1, 18, 19, 10000} <= set(keys) and keys[19][0] <= 2 <= keys[19][1], True),
    case("CreateTopics", c.create(topic), (0, "")),
    case("CreateTopics again", c.create(topic)[0], 36),
    case("Produce", c.produce(topic, batch([b"one", b"two"])), (0, 0)),
    case("Produce more", c.produce(topic, batch([b"three"])), (0, 2)),
    case("Produce what is damaged", c.produce(topic, batch([b"x"])[:-1] + b"\1")[0], 2),
]
error, high, p = c.fetch(topic, 0)
ok.append(case("Fetch", (error, high, list(records(p))), (0, 3, [(0, b"one"), (1, b"two"), (2, b"three")])))
name, _, error, [((partition, failed, leader, _, start, stable, high), replicas)] = c.replicas(topic)
ok.append(case("DescribeReplicas", (name, error, failed, start, stable, high, replicas), (topic, 0, 0, 0, 3, 3, [(leader, 1, 3, 3, 0, 0)])))
print(f"{sum(ok)} passed, {len(ok) - sum(ok)} failed")
sys.exit(0 if all(ok) else 1)
