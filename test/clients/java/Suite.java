import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/** Cases for the Java client; compiles against 2.3.0 and everything newer. Argument: bootstrap address. */
public class Suite {
    static final int PARTITIONS = 3, RECORDS = 30;
    static String bootstrap, prefix;
    static boolean failed;

    interface Body { void run() throws Exception; }

    static void scenario(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed = true;
            System.out.println("FAIL " + name + ": " + e);
            e.printStackTrace();
        }
    }

    static void check(boolean ok, Object detail) {
        if (!ok) throw new AssertionError(String.valueOf(detail));
    }

    static Admin admin() {
        return new Admin(AdminClient.create(Collections.singletonMap("bootstrap.servers", (Object) bootstrap)));
    }

    /** AdminClient under one name in all versions. */
    static class Admin implements AutoCloseable {
        final AdminClient c;
        Admin(AdminClient c) { this.c = c; }
        void create(String topic, int partitions) throws Exception {
            c.createTopics(Collections.singleton(new NewTopic(topic, partitions, (short) 1))).all().get(15, TimeUnit.SECONDS);
            check(c.listTopics().names().get().contains(topic), "a created topic is not listed");
        }
        /** values() of 2.3 is topicNameValues() in 4.x. */
        @SuppressWarnings("unchecked")
        TopicDescription describe(String topic) throws Exception {
            DescribeTopicsResult result = c.describeTopics(Collections.singleton(topic));
            java.lang.reflect.Method values;
            try {
                values = result.getClass().getMethod("topicNameValues");
            } catch (NoSuchMethodException e) {
                values = result.getClass().getMethod("values");
            }
            return ((Map<String, org.apache.kafka.common.KafkaFuture<TopicDescription>>) values.invoke(result)).get(topic).get();
        }
        public void close() { c.close(); }
    }

    static void topics() throws Exception {
        try (Admin a = admin()) {
            a.create(prefix + "admin", 2);
            try {
                a.create(prefix + "admin", 2);
                check(false, "second creation was accepted");
            } catch (ExecutionException e) {
                check(e.getCause() instanceof TopicExistsException, e.getCause());
                check(("Topic '" + prefix + "admin' already exists.").equals(e.getCause().getMessage()), e.getCause().getMessage());
            }
            a.c.createPartitions(Collections.singletonMap(prefix + "admin", NewPartitions.increaseTo(5))).all().get();
            check(a.describe(prefix + "admin").partitions().size() == 5, "partitions");
            ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, prefix + "admin");
            a.c.incrementalAlterConfigs(Collections.singletonMap(r, Collections.singleton(
                new AlterConfigOp(new ConfigEntry("retention.ms", "86400000"), AlterConfigOp.OpType.SET)))).all().get();
            Config config = a.c.describeConfigs(Collections.singleton(r)).all().get().get(r);
            check("86400000".equals(config.get("retention.ms").value()), config.get("retention.ms"));
            check(config.get("retention.ms").source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, config.get("retention.ms").source());
            check(a.c.describeCluster().nodes().get().size() == 1, "nodes");
            a.c.deleteTopics(Collections.singleton(prefix + "admin")).all().get();
            check(!a.c.listTopics().names().get().contains(prefix + "admin"), "a deleted topic is listed");
        }
    }

    static List<ConsumerRecord<String, String>> read(String topic, int count, java.util.function.BiConsumer<KafkaConsumer<String, String>, List<TopicPartition>> seek) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("enable.auto.commit", "false");
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> parts = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) parts.add(new TopicPartition(topic, i));
            c.assign(parts);
            seek.accept(c, parts);
            long deadline = System.currentTimeMillis() + 10000;
            while (got.size() < count && System.currentTimeMillis() < deadline)
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) got.add(r);
        }
        return got;
    }

    static void produce(String codec, String acks, boolean idempotent) throws Exception {
        String topic = prefix + codec + "-" + acks + (idempotent ? "-idem" : "");
        try (Admin a = admin()) { a.create(topic, PARTITIONS); }
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("acks", acks);
        p.put("enable.idempotence", String.valueOf(idempotent));
        p.put("compression.type", codec);
        p.put("linger.ms", "5");
        long base = System.currentTimeMillis();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < RECORDS; i++) {
                ProducerRecord<String, String> r = new ProducerRecord<>(topic, i % PARTITIONS, base + i, "k" + i, "value-" + i);
                r.headers().add("h", ("x" + i).getBytes(StandardCharsets.UTF_8));
                sent.add(producer.send(r));
            }
            producer.flush();
            for (int i = 0; i < RECORDS; i++) {
                RecordMetadata m = sent.get(i).get(15, TimeUnit.SECONDS);
                if (!acks.equals("0")) check(m.offset() == i / PARTITIONS && m.partition() == i % PARTITIONS, m);
            }
        }
        List<ConsumerRecord<String, String>> got = read(topic, RECORDS, (c, parts) -> c.seekToBeginning(parts));
        check(got.size() == RECORDS, got.size() + " records");
        for (ConsumerRecord<String, String> r : got) {
            String i = r.key().substring(1);
            check(r.value().equals("value-" + i) && new String(r.headers().lastHeader("h").value()).equals("x" + i), r);
        }
        TreeSet<Long> offsets = new TreeSet<>();
        for (ConsumerRecord<String, String> r : read(topic, 9, (c, parts) -> { for (TopicPartition tp : parts) c.seek(tp, 7); })) offsets.add(r.offset());
        check(offsets.equals(new TreeSet<>(Arrays.asList(7L, 8L, 9L))), offsets);
        List<ConsumerRecord<String, String>> late = read(topic, 15, (c, parts) -> {
            Map<TopicPartition, Long> when = new HashMap<>();
            for (TopicPartition tp : parts) when.put(tp, base + 15);
            c.offsetsForTimes(when).forEach((tp, at) -> c.seek(tp, at.offset()));
        });
        check(late.size() == 15, late.size() + " records from a timestamp");
        for (ConsumerRecord<String, String> r : late) check(r.timestamp() >= base + 15, r);
    }

    static void unknownTopic() throws Exception {
        try (Admin a = admin()) {
            a.describe(prefix + "nothing");
            check(false, "an unknown topic was described");
        } catch (ExecutionException e) {
            check(e.getCause() instanceof UnknownTopicOrPartitionException, e.getCause());
        }
    }

    static void tooLarge() throws Exception {
        try (Admin a = admin()) { a.create(prefix + "large", PARTITIONS); }
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("max.request.size", "8000000");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            try {
                producer.send(new ProducerRecord<>(prefix + "large", 0, "k", String.join("", Collections.nCopies(3000000, "x")))).get(15, TimeUnit.SECONDS);
                check(false, "a record of 3 MB was accepted");
            } catch (ExecutionException e) {
                check(e.getCause() instanceof RecordTooLargeException, e.getCause());
            }
            check(producer.send(new ProducerRecord<>(prefix + "large", 0, "k", "fits")).get(15, TimeUnit.SECONDS).offset() == 0, "offset");
        }
    }

    public static void main(String[] args) {
        bootstrap = args[0];
        prefix = "java-" + args[1] + "-";
        System.out.println("client java " + args[1]);
        scenario("topics", Suite::topics);
        String[] codecs = {"none", "gzip", "snappy", "lz4", "zstd"};
        for (String codec : codecs) {
            for (String acks : new String[] {"0", "1", "all"})
                scenario("produce-" + codec + "-acks-" + acks, () -> produce(codec, acks, false));
            scenario("produce-" + codec + "-idempotent", () -> produce(codec, "all", true));
        }
        scenario("unknown-topic", Suite::unknownTopic);
        scenario("too-large", Suite::tooLarge);
        System.out.flush();
        Runtime.getRuntime().halt(failed ? 1 : 0);
    }
}
