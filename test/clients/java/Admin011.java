import com.google.gson.*;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;

/** What the administration client could from the first, 0.11. */
public class Admin011 implements Adapter.Calls {
    final AdminClient client;

    public Admin011(String bootstrap) {
        client = AdminClient.create(Collections.<String, Object>singletonMap("bootstrap.servers", bootstrap));
    }

    static ConfigResource resource(String topic) { return new ConfigResource(ConfigResource.Type.TOPIC, topic); }

    public void create(String topic, int partitions, short replication, Map<String, String> configs) throws Exception {
        client.createTopics(Collections.singleton(new NewTopic(topic, partitions, replication).configs(configs))).all().get();
    }

    public Set<String> list() throws Exception { return client.listTopics().names().get(); }

    /** values() of old is topicNameValues() of 4. */
    @SuppressWarnings("unchecked")
    public JsonArray describe(String topic) throws Exception {
        DescribeTopicsResult result = client.describeTopics(Collections.singleton(topic));
        java.lang.reflect.Method values = Adapter.method(DescribeTopicsResult.class, "topicNameValues");
        if (values == null) values = DescribeTopicsResult.class.getMethod("values");
        JsonArray layout = new JsonArray();
        for (TopicPartitionInfo p : ((Map<String, KafkaFuture<TopicDescription>>) values.invoke(result)).get(topic).get().partitions()) {
            JsonObject o = new JsonObject();
            o.addProperty("partition", p.partition());
            o.addProperty("leader", p.leader().id());
            o.add("replicas", ids(p.replicas()));
            o.add("isr", ids(p.isr()));
            layout.add(o);
        }
        return layout;
    }

    static JsonArray ids(List<Node> nodes) {
        JsonArray ids = new JsonArray();
        for (Node n : nodes) ids.add(n.id());
        return ids;
    }

    public void delete(String topic) throws Exception { client.deleteTopics(Collections.singleton(topic)).all().get(); }

    public void grow(String topic, int partitions) throws Exception { throw new UnsupportedOperationException("grow"); }

    public Map<String, String> configs(String topic) throws Exception {
        Map<String, String> found = new HashMap<>();
        for (ConfigEntry e : client.describeConfigs(Collections.singleton(resource(topic))).all().get().get(resource(topic)).entries())
            found.put(e.name(), e.value());
        return found;
    }

    /** By AlterConfigs, which 4 no longer has: called by reflection. */
    public void alter(String topic, Map<String, String> configs) throws Exception {
        List<ConfigEntry> entries = new ArrayList<>();
        for (Map.Entry<String, String> e : configs.entrySet()) entries.add(new ConfigEntry(e.getKey(), e.getValue()));
        Object result = AdminClient.class.getMethod("alterConfigs", Map.class).invoke(client, Collections.singletonMap(resource(topic), new Config(entries)));
        ((KafkaFuture<?>) result.getClass().getMethod("all").invoke(result)).get();
    }

    public void trim(TopicPartition partition, long offset) throws Exception { throw new UnsupportedOperationException("trim"); }

    public Map<String, String> groups() throws Exception { throw new UnsupportedOperationException("groups"); }
}
