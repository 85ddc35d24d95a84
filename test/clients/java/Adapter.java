import com.google.gson.*;
import java.io.*;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.*;

/**
 * Adapter of the Java client from 0.9 to 4.4, compiled against each. What 0.9 does not have is called by
 * reflection, or lives in the Admin classes, of which scripts/clients compiles those that fit the version.
 * Arguments: bootstrap address, version of the client.
 */
public class Adapter {
    static final int LARGEST = 64 << 20, PATIENCE = 60;
    static String bootstrap, version;
    static final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    static KafkaConsumer<byte[], byte[]> reader, asker;
    static Calls admin;

    /** The administrative operations of the newest Admin class that there is. */
    interface Calls {
        void create(String topic, int partitions, short replication, Map<String, String> configs) throws Exception;
        Set<String> list() throws Exception;
        JsonArray describe(String topic) throws Exception;
        void delete(String topic) throws Exception;
        void grow(String topic, int partitions) throws Exception;
        Map<String, String> configs(String topic) throws Exception;
        void alter(String topic, Map<String, String> configs) throws Exception;
        void trim(TopicPartition partition, long offset) throws Exception;
        Map<String, String> groups() throws Exception;
    }

    static Calls admin() throws Exception {
        for (String name : new String[] {"Admin23", "Admin11", "Admin011"}) {
            if (admin != null) break;
            try {
                admin = (Calls) Class.forName(name).getDeclaredConstructor(String.class).newInstance(bootstrap);
            } catch (ClassNotFoundException e) {
                continue;
            }
        }
        if (admin == null) throw new UnsupportedOperationException("no administration client");
        return admin;
    }

    static byte[] bytes(JsonElement e) {
        return e == null || e.isJsonNull() ? null : Base64.getDecoder().decode(e.getAsString());
    }

    static JsonElement json(byte[] b) {
        return b == null ? JsonNull.INSTANCE : new JsonPrimitive(Base64.getEncoder().encodeToString(b));
    }

    static String text(JsonObject r, String name) { return r.has(name) ? r.get(name).getAsString() : ""; }

    static Map<String, String> map(JsonObject r, String name) {
        Map<String, String> m = new HashMap<>();
        if (r.has(name)) for (Map.Entry<String, JsonElement> e : r.getAsJsonObject(name).entrySet()) m.put(e.getKey(), e.getValue().getAsString());
        return m;
    }

    /** The method of an object by name and number of parameters, for what not every version has. */
    static Method method(Class<?> c, String name, Class<?>... parameters) {
        try {
            return c.getMethod(name, parameters);
        } catch (NoSuchMethodException e) {
            return null;
        }
    }

    static void answer(JsonObject r, JsonObject a) throws Exception {
        String topic = text(r, "topic");
        switch (text(r, "op")) {
        case "create":
            admin().create(topic, r.get("partitions").getAsInt(), r.get("replication").getAsShort(), map(r, "configs"));
            break;
        case "list":
            JsonArray topics = new JsonArray();
            for (String name : version.startsWith("0.9") ? consumer().listTopics().keySet() : admin().list()) topics.add(name);
            a.add("topics", topics);
            break;
        case "describe":
            a.add("layout", admin().describe(topic));
            break;
        case "delete":
            admin().delete(topic);
            break;
        case "grow":
            admin().grow(topic, r.get("partitions").getAsInt());
            break;
        case "configs":
            JsonObject config = new JsonObject();
            for (Map.Entry<String, String> e : admin().configs(topic).entrySet()) config.addProperty(e.getKey(), e.getValue());
            a.add("config", config);
            break;
        case "alter":
            admin().alter(topic, map(r, "configs"));
            break;
        case "trim":
            admin().trim(new TopicPartition(topic, r.get("partition").getAsInt()), r.get("offset").getAsLong());
            break;
        case "produce":
            produce(r, topic, a);
            break;
        case "offset":
            if (asker == null) asker = consumer();
            a.addProperty("offset", offset(asker, topic, r.getAsJsonObject("at")));
            break;
        case "open":
            open(r, topic);
            break;
        case "poll":
            poll(r, a);
            break;
        case "close":
            reader.close();
            break;
        case "join":
            reader = Group.join(r);
            break;
        case "commit":
            Group.commit(reader, text(r, "mode"));
            break;
        case "seek":
            reader.seek(Group.partition(r), r.get("offset").getAsLong());
            break;
        case "pause":
        case "resume":
            Group.flow(reader, text(r, "op"), Group.partition(r));
            break;
        case "committed":
            a.addProperty("offset", Group.committed(text(r, "group"), Group.partition(r)));
            break;
        case "groups":
            JsonObject groups = new JsonObject();
            for (Map.Entry<String, String> e : admin().groups().entrySet()) groups.addProperty(e.getKey(), e.getValue());
            a.add("groups", groups);
            break;
        default:
            throw new UnsupportedOperationException(text(r, "op"));
        }
    }

    static KafkaProducer<byte[], byte[]> producer(JsonObject r) {
        boolean idempotent = r.has("idempotent");
        String key = text(r, "acks") + text(r, "codec") + idempotent;
        if (!producers.containsKey(key)) {
            Properties p = new Properties();
            p.put("bootstrap.servers", bootstrap);
            p.put("acks", text(r, "acks"));
            p.put("compression.type", text(r, "codec"));
            p.put("linger.ms", "5");
            p.put("retries", "100");
            p.put("max.block.ms", PATIENCE * 1000 + "");
            p.put("max.request.size", LARGEST + "");
            p.put("buffer.memory", 2L * LARGEST + "");
            if (!version.startsWith("0.9")) p.put("enable.idempotence", idempotent + "");
            producers.put(key, new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer()));
        }
        return producers.get(key);
    }

    static void produce(JsonObject r, String topic, JsonObject a) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(r);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonElement e : r.getAsJsonArray("records")) sent.add(producer.send(record(topic, e.getAsJsonObject())));
        producer.flush();
        JsonArray offsets = new JsonArray();
        for (Future<RecordMetadata> f : sent) offsets.add(f.get(PATIENCE, TimeUnit.SECONDS).offset());
        a.add("offsets", offsets);
    }

    @SuppressWarnings("unchecked")
    static ProducerRecord<byte[], byte[]> record(String topic, JsonObject x) throws Exception {
        int partition = x.get("partition").getAsInt();
        byte[] key = bytes(x.get("key")), value = bytes(x.get("value"));
        if (version.startsWith("0.9")) return new ProducerRecord<>(topic, partition, key, value);
        long stamp = x.get("timestamp").getAsLong();
        ProducerRecord<byte[], byte[]> record = (ProducerRecord<byte[], byte[]>) ProducerRecord.class
            .getConstructor(String.class, Integer.class, Long.class, Object.class, Object.class)
            .newInstance(topic, partition, stamp == 0 ? null : (Long) stamp, key, value);
        if (x.has("headers")) {
            Object headers = ProducerRecord.class.getMethod("headers").invoke(record);
            Method add = Class.forName("org.apache.kafka.common.header.Headers").getMethod("add", String.class, byte[].class);
            for (JsonElement h : x.getAsJsonArray("headers"))
                add.invoke(headers, h.getAsJsonObject().get("key").getAsString(), bytes(h.getAsJsonObject().get("value")));
        }
        return record;
    }

    static KafkaConsumer<byte[], byte[]> consumer() {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "none");
        p.put("max.partition.fetch.bytes", LARGEST + "");
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Looks an offset up; before 0.10.1 a consumer could only do so by seeking. */
    @SuppressWarnings("unchecked")
    static long offset(KafkaConsumer<byte[], byte[]> c, String topic, JsonObject at) throws Exception {
        TopicPartition tp = new TopicPartition(topic, at.get("partition").getAsInt());
        boolean start = text(at, "at").equals("start");
        if (text(at, "at").equals("time")) {
            Map<TopicPartition, Object> found = (Map<TopicPartition, Object>) c.getClass().getMethod("offsetsForTimes", Map.class)
                .invoke(c, Collections.singletonMap(tp, at.get("n").getAsLong()));
            return (Long) found.get(tp).getClass().getMethod("offset").invoke(found.get(tp));
        }
        Method look = method(c.getClass(), start ? "beginningOffsets" : "endOffsets", Collection.class);
        if (look != null) return ((Map<TopicPartition, Long>) look.invoke(c, Collections.singleton(tp))).get(tp);
        c.assign(Collections.singletonList(tp));
        c.getClass().getMethod(start ? "seekToBeginning" : "seekToEnd", TopicPartition[].class).invoke(c, (Object) new TopicPartition[] {tp});
        return c.position(tp);
    }

    static void open(JsonObject r, String topic) throws Exception {
        if (asker == null) asker = consumer();
        Map<TopicPartition, Long> from = new HashMap<>();
        for (JsonElement e : r.getAsJsonArray("from")) {
            JsonObject p = e.getAsJsonObject();
            from.put(new TopicPartition(topic, p.get("partition").getAsInt()),
                text(p, "at").equals("offset") ? p.get("n").getAsLong() : offset(asker, topic, p));
        }
        reader = consumer();
        reader.assign(new ArrayList<>(from.keySet()));
        for (Map.Entry<TopicPartition, Long> e : from.entrySet()) reader.seek(e.getKey(), e.getValue());
    }

    @SuppressWarnings("unchecked")
    static ConsumerRecords<byte[], byte[]> poll() throws Exception {
        Method newer = method(KafkaConsumer.class, "poll", java.time.Duration.class);
        if (newer != null) return (ConsumerRecords<byte[], byte[]>) newer.invoke(reader, java.time.Duration.ofMillis(200));
        return (ConsumerRecords<byte[], byte[]>) KafkaConsumer.class.getMethod("poll", long.class).invoke(reader, 200L);
    }

    static void poll(JsonObject r, JsonObject a) throws Exception {
        JsonArray records = new JsonArray();
        long end = System.currentTimeMillis() + r.get("timeout").getAsInt();
        while (records.size() < r.get("count").getAsInt() && System.currentTimeMillis() < end)
            for (ConsumerRecord<byte[], byte[]> x : poll()) records.add(json(x));
        a.add("records", records);
    }

    static JsonObject json(ConsumerRecord<byte[], byte[]> x) throws Exception {
        JsonObject o = new JsonObject();
        o.addProperty("partition", x.partition());
        o.addProperty("offset", x.offset());
        o.add("key", json(x.key()));
        o.add("value", json(x.value()));
        Method timestamp = method(ConsumerRecord.class, "timestamp"), headers = method(ConsumerRecord.class, "headers");
        if (timestamp != null) o.addProperty("timestamp", (Long) timestamp.invoke(x));
        if (headers == null) return o;
        JsonArray all = new JsonArray();
        Class<?> header = Class.forName("org.apache.kafka.common.header.Header");
        for (Object h : (Iterable<?>) headers.invoke(x)) {
            JsonObject one = new JsonObject();
            one.addProperty("key", (String) header.getMethod("key").invoke(h));
            one.add("value", json((byte[]) header.getMethod("value").invoke(h)));
            all.add(one);
        }
        o.add("headers", all);
        return o;
    }

    /** The client's own exception below those of futures and reflection. */
    static Throwable cause(Throwable e) {
        while ((e instanceof ExecutionException || e instanceof java.lang.reflect.InvocationTargetException) && e.getCause() != null) e = e.getCause();
        return e;
    }

    public static void main(String[] args) throws IOException {
        bootstrap = args[0];
        version = args[1];
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
        Gson gson = new GsonBuilder().serializeNulls().create();
        for (String line; (line = in.readLine()) != null;) {
            JsonObject a = new JsonObject();
            try {
                answer(JsonParser.parseString(line).getAsJsonObject(), a);
            } catch (Throwable thrown) {
                Throwable e = cause(thrown);
                a = new JsonObject();
                a.addProperty("error", e.toString());
                a.addProperty("code", Math.max(0, Errors.forException(e).code()));
            }
            out.println(gson.toJson(a));
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
