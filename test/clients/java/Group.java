import com.google.gson.JsonObject;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What a member of a group does. */
class Group {
    static KafkaConsumer<byte[], byte[]> join(JsonObject r) {
        Properties p = new Properties();
        p.put("bootstrap.servers", Adapter.bootstrap);
        p.put("group.id", Adapter.text(r, "group"));
        p.put("client.id", Adapter.text(r, "client"));
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", Adapter.text(r, "reset"));
        if (r.has("instance")) p.put("group.instance.id", Adapter.text(r, "instance"));
        if (r.has("consumer")) {
            p.put("group.protocol", "consumer"); // then the broker says how long a session is
        } else {
            p.put("session.timeout.ms", Adapter.text(r, "session"));
            p.put("heartbeat.interval.ms", Adapter.text(r, "heartbeat"));
            p.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + (r.has("cooperative") ? "CooperativeStickyAssignor" : "RangeAssignor"));
        }
        KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        c.subscribe(Collections.singletonList(Adapter.text(r, "topic")));
        return c;
    }

    static void commit(KafkaConsumer<byte[], byte[]> c, String mode) throws Exception {
        if (mode.equals("sync")) {
            c.commitSync();
            return;
        }
        Object[] done = {null, null};
        c.commitAsync((offsets, e) -> { done[0] = offsets; done[1] = e; });
        long end = System.currentTimeMillis() + Adapter.PATIENCE * 1000;
        while (done[0] == null && done[1] == null && System.currentTimeMillis() < end) Adapter.poll();
        if (done[1] != null) throw (Exception) done[1];
        if (done[0] == null) throw new IllegalStateException("no callback");
    }

    static TopicPartition partition(JsonObject r) { return new TopicPartition(Adapter.text(r, "topic"), r.get("partition").getAsInt()); }

    /** pause or resume, by a collection since 0.10. */
    static void flow(KafkaConsumer<byte[], byte[]> c, String verb, TopicPartition tp) throws Exception {
        java.lang.reflect.Method m = Adapter.method(KafkaConsumer.class, verb, Collection.class);
        if (m != null) m.invoke(c, Collections.singleton(tp));
        else KafkaConsumer.class.getMethod(verb, TopicPartition[].class).invoke(c, (Object) new TopicPartition[] {tp});
    }

    /** What a group has committed, asked by a consumer that never joins; of a set since 2.4. */
    static long committed(String group, TopicPartition tp) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", Adapter.bootstrap);
        p.put("group.id", group);
        p.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            java.lang.reflect.Method m = Adapter.method(KafkaConsumer.class, "committed", Set.class);
            Object found = m != null ? ((Map<?, ?>) m.invoke(c, Collections.singleton(tp))).get(tp)
                : KafkaConsumer.class.getMethod("committed", TopicPartition.class).invoke(c, tp);
            return found == null ? -1 : ((OffsetAndMetadata) found).offset();
        }
    }
}
