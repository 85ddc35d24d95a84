//! Adapter of rdkafka, the Rust client on librdkafka. Argument: bootstrap address.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::{engine::general_purpose::STANDARD, Engine};
use futures::executor::block_on;
use futures::future::join_all;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{json, Value};

const LARGEST: &str = "67108864";
const PATIENCE: Duration = Duration::from_secs(60);

/// What went wrong, with Kafka's number, 0 if it has none.
struct Failure(String, i32);

impl From<KafkaError> for Failure {
    fn from(e: KafkaError) -> Self {
        let code = e.rdkafka_error_code().map_or(0, |c| c as i32);
        Failure(e.to_string(), code.max(0)) // below 0 are librdkafka's own
    }
}

impl From<RDKafkaErrorCode> for Failure {
    fn from(c: RDKafkaErrorCode) -> Self {
        Failure(c.to_string(), (c as i32).max(0))
    }
}

type Answer = Result<Value, Failure>;

/// Keeps what became of commits.
#[derive(Default)]
struct Reports(Mutex<Vec<KafkaResult<()>>>);

impl ClientContext for Reports {}

impl ConsumerContext for Reports {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.0.lock().unwrap().push(result);
    }
}

type Reader = BaseConsumer<Reports>;

struct Adapter {
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
    asker: Reader,
    producers: HashMap<String, FutureProducer>,
    reader: Option<Reader>,
}

fn bytes(v: &Value) -> Option<Vec<u8>> {
    v.as_str().map(|s| STANDARD.decode(s).expect("base64"))
}

fn text(b: Option<&[u8]>) -> Value {
    b.map_or(Value::Null, |b| STANDARD.encode(b).into())
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// The only result of an administrative call that takes several topics.
fn only<T>(results: Vec<Result<T, (String, RDKafkaErrorCode)>>) -> Answer {
    match results.into_iter().next() {
        Some(Err((_, code))) => Err(code.into()),
        _ => Ok(json!({})),
    }
}

/// The partition of a request.
fn one(topic: &str, r: &Value) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, r["partition"].as_i64().unwrap() as i32);
    list
}

/// A member of a group.
fn member(bootstrap: &str, r: &Value) -> Result<Reader, KafkaError> {
    let word = |name: &str| r[name].as_str().unwrap_or_default();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", word("group"))
        .set("client.id", word("client"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", if word("reset") == "none" { "error" } else { word("reset") });
    if r["instance"].is_string() {
        config.set("group.instance.id", word("instance"));
    }
    if r["consumer"] == true {
        config.set("group.protocol", "consumer"); // then the broker says how long a session is
    } else {
        let strategy = if r["cooperative"] == true { "cooperative-sticky" } else { "range" };
        config
            .set("session.timeout.ms", r["session"].to_string())
            .set("heartbeat.interval.ms", r["heartbeat"].to_string())
            .set("partition.assignment.strategy", strategy);
    }
    let reader: Reader = config.create_with_context(Reports::default())?;
    reader.subscribe(&[word("topic")])?;
    Ok(reader)
}

fn consumer(bootstrap: &str) -> Reader {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("auto.offset.reset", "error")
        .set("fetch.message.max.bytes", LARGEST)
        .set("fetch.max.bytes", "134217728")
        .set("receive.message.max.bytes", "134218752")
        .create_with_context(Reports::default())
        .expect("consumer")
}

impl Adapter {
    fn new(bootstrap: String) -> Self {
        let admin = ClientConfig::new().set("bootstrap.servers", &bootstrap).create().expect("admin");
        let asker = consumer(&bootstrap);
        Adapter { bootstrap, admin, asker, producers: HashMap::new(), reader: None }
    }

    fn answer(&mut self, r: &Value) -> Answer {
        let topic = r["topic"].as_str().unwrap_or_default();
        let pairs: Vec<(&str, &str)> = r["configs"].as_object().map_or(vec![], |m| m.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect());
        let partitions = r["partitions"].as_i64().unwrap_or_default();
        match r["op"].as_str().unwrap() {
            "create" => {
                let mut new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(r["replication"].as_i64().unwrap() as i32));
                for (k, v) in pairs {
                    new = new.set(k, v);
                }
                only(block_on(self.admin.create_topics(&[new], &options()))?)
            }
            "list" => {
                let found = self.asker.fetch_metadata(None, PATIENCE)?;
                Ok(json!({"topics": found.topics().iter().map(|t| t.name()).collect::<Vec<_>>()}))
            }
            "describe" => self.describe(topic),
            "delete" => only(block_on(self.admin.delete_topics(&[topic], &options()))?),
            "grow" => only(block_on(self.admin.create_partitions(&[NewPartitions::new(topic, partitions as usize)], &options()))?),
            "configs" => match block_on(self.admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options()))?.remove(0) {
                Ok(found) => Ok(json!({"config": found.entries.into_iter().map(|e| (e.name, e.value)).collect::<HashMap<_, _>>()})),
                Err(code) => Err(code.into()),
            },
            "alter" => {
                let mut change = AlterConfig::new(ResourceSpecifier::Topic(topic));
                for (k, v) in pairs {
                    change = change.set(k, v);
                }
                match block_on(self.admin.alter_configs(&[change], &options()))?.remove(0) {
                    Ok(_) => Ok(json!({})),
                    Err((_, code)) => Err(code.into()),
                }
            }
            "trim" => {
                let mut at = TopicPartitionList::new();
                at.add_partition_offset(topic, r["partition"].as_i64().unwrap() as i32, Offset::Offset(r["offset"].as_i64().unwrap()))?;
                let done = block_on(self.admin.delete_records(&at, &options()))?;
                done.elements()[0].error()?;
                Ok(json!({}))
            }
            "produce" => self.produce(topic, r),
            "offset" => Ok(json!({"offset": self.offset(topic, &r["at"])?})),
            "open" => self.open(topic, r),
            "poll" => self.poll(r),
            "close" => {
                self.reader = None;
                Ok(json!({}))
            }
            "join" => {
                self.reader = Some(member(&self.bootstrap, r)?);
                Ok(json!({}))
            }
            "commit" => self.commit(r["mode"] == "sync"),
            "seek" => {
                let at = Offset::Offset(r["offset"].as_i64().unwrap());
                self.reader().seek(topic, r["partition"].as_i64().unwrap() as i32, at, PATIENCE)?;
                Ok(json!({}))
            }
            "pause" => {
                self.reader().pause(&one(topic, r))?;
                Ok(json!({}))
            }
            "resume" => {
                self.reader().resume(&one(topic, r))?;
                Ok(json!({}))
            }
            "committed" => {
                let asker: BaseConsumer =
                    ClientConfig::new().set("bootstrap.servers", &self.bootstrap).set("group.id", r["group"].as_str().unwrap()).create()?;
                let found = asker.committed_offsets(one(topic, r), PATIENCE)?;
                Ok(json!({"offset": found.elements()[0].offset().to_raw().unwrap_or(-1).max(-1)})) // none is librdkafka's -1001
            }
            "groups" => {
                let found = self.asker.fetch_group_list(None, PATIENCE)?;
                Ok(json!({"groups": found.groups().iter().map(|g| (g.name().to_string(), g.protocol_type().to_string())).collect::<HashMap<_, _>>()}))
            }
            op => Err(Failure(format!("no such call: {op}"), 0)),
        }
    }

    fn reader(&self) -> &Reader {
        self.reader.as_ref().unwrap()
    }

    /// Commits what was polled. Without waiting, the callback says what became of it.
    fn commit(&self, wait: bool) -> Answer {
        if wait {
            self.reader().commit_consumer_state(CommitMode::Sync)?;
            return Ok(json!({}));
        }
        let reports = &self.reader().context().0;
        reports.lock().unwrap().clear();
        self.reader().commit_consumer_state(CommitMode::Async)?;
        let end = Instant::now() + PATIENCE / 6;
        while Instant::now() < end {
            self.reader().poll(Duration::from_millis(20));
            if let Some(result) = reports.lock().unwrap().pop() {
                return Ok(result.map(|()| json!({}))?);
            }
        }
        Err(Failure("no callback".into(), 0))
    }

    fn describe(&self, topic: &str) -> Answer {
        let found = self.asker.fetch_metadata(Some(topic), PATIENCE)?;
        let t = &found.topics()[0];
        if let Some(e) = t.error() {
            return Err(RDKafkaErrorCode::from(e).into());
        }
        let layout = t.partitions().iter().map(|p| json!({"partition": p.id(), "leader": p.leader(), "replicas": p.replicas(), "isr": p.isr()}));
        Ok(json!({"layout": layout.collect::<Vec<_>>()}))
    }

    fn producer(&mut self, r: &Value) -> FutureProducer {
        let (acks, codec) = (r["acks"].as_str().unwrap(), r["codec"].as_str().unwrap());
        let idempotent = r["idempotent"].as_bool().unwrap_or(false).to_string();
        let bootstrap = &self.bootstrap;
        self.producers
            .entry(format!("{acks} {codec} {idempotent}"))
            .or_insert_with(|| {
                ClientConfig::new()
                    .set("bootstrap.servers", bootstrap)
                    .set("acks", acks)
                    .set("compression.type", codec)
                    .set("enable.idempotence", &idempotent)
                    .set("message.max.bytes", LARGEST)
                    .set("message.timeout.ms", "60000")
                    .set("linger.ms", "5")
                    .create()
                    .expect("producer")
            })
            .clone()
    }

    fn produce(&mut self, topic: &str, r: &Value) -> Answer {
        struct Parts(i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<OwnedHeaders>);
        let producer = self.producer(r);
        let records: Vec<Parts> = r["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| {
                let headers = x["headers"].as_array().map(|all| {
                    all.iter().fold(OwnedHeaders::new(), |h, one| {
                        h.insert(Header { key: one["key"].as_str().unwrap(), value: bytes(&one["value"]).as_ref() })
                    })
                });
                Parts(x["partition"].as_i64().unwrap() as i32, x["timestamp"].as_i64().unwrap(), bytes(&x["key"]), bytes(&x["value"]), headers)
            })
            .collect();
        let mut sent = vec![];
        for Parts(partition, timestamp, key, value, headers) in &records {
            let mut record: FutureRecord<Vec<u8>, Vec<u8>> = FutureRecord::to(topic).partition(*partition);
            if *timestamp != 0 {
                record = record.timestamp(*timestamp);
            }
            record.key = key.as_ref();
            record.payload = value.as_ref();
            record.headers = headers.clone();
            sent.push(producer.send_result(record).map_err(|(e, _)| Failure::from(e))?);
        }
        let mut offsets = vec![];
        for report in block_on(join_all(sent)) {
            match report {
                Ok(Ok(at)) => offsets.push(at.offset),
                Ok(Err((e, _))) => return Err(e.into()),
                Err(_) => return Err(Failure("the delivery was canceled".into(), 0)),
            }
        }
        Ok(if r["acks"] == "0" { json!({}) } else { json!({"offsets": offsets}) })
    }

    fn offset(&self, topic: &str, at: &Value) -> Result<i64, Failure> {
        let partition = at["partition"].as_i64().unwrap() as i32;
        if at["at"] == "time" {
            let mut ask = TopicPartitionList::new();
            ask.add_partition_offset(topic, partition, Offset::Offset(at["n"].as_i64().unwrap()))?;
            let found = self.asker.offsets_for_times(ask, PATIENCE)?;
            return Ok(found.elements()[0].offset().to_raw().unwrap_or(-1));
        }
        let (low, high) = self.asker.fetch_watermarks(topic, partition, PATIENCE)?;
        Ok(if at["at"] == "start" { low } else { high })
    }

    fn open(&mut self, topic: &str, r: &Value) -> Answer {
        let mut from = TopicPartitionList::new();
        for p in r["from"].as_array().unwrap() {
            let at = match p["at"].as_str().unwrap() {
                "start" => Offset::Beginning,
                "offset" => Offset::Offset(p["n"].as_i64().unwrap()),
                _ => Offset::Offset(self.offset(topic, p)?),
            };
            from.add_partition_offset(topic, p["partition"].as_i64().unwrap() as i32, at)?;
        }
        let reader = consumer(&self.bootstrap);
        reader.assign(&from)?;
        self.reader = Some(reader);
        Ok(json!({}))
    }

    fn poll(&self, r: &Value) -> Answer {
        let end = Instant::now() + Duration::from_millis(r["timeout"].as_u64().unwrap());
        let mut records = vec![];
        while (records.len() as u64) < r["count"].as_u64().unwrap() && Instant::now() < end {
            match self.reader().poll(Duration::from_millis(200)) {
                Some(Ok(m)) => {
                    let headers = m.headers().map_or(vec![], |all| all.iter().map(|h| json!({"key": h.key, "value": text(h.value)})).collect());
                    records.push(json!({"partition": m.partition(), "offset": m.offset(), "timestamp": m.timestamp().to_millis(),
                        "key": text(m.key()), "value": text(m.payload()), "headers": headers}));
                }
                Some(Err(e)) => {
                    let lost = e.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset);
                    let failure = Failure::from(e);
                    if failure.1 > 0 || lost {
                        return Err(failure); // the others are librdkafka's news, as a broker that is down
                    }
                }
                None => {}
            }
        }
        Ok(json!({"records": records}))
    }
}

fn main() {
    let mut adapter = Adapter::new(std::env::args().nth(1).expect("bootstrap address"));
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("input")).expect("JSON");
        let answer = adapter.answer(&request).unwrap_or_else(|Failure(text, code)| json!({"error": text, "code": code}));
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("output");
    }
}
