import java.util.*;
import org.apache.kafka.clients.admin.*;

/** What came with 2.3. */
public class Admin23 extends Admin11 {
    public Admin23(String bootstrap) { super(bootstrap); }

    @Override public void alter(String topic, Map<String, String> configs) throws Exception {
        List<AlterConfigOp> ops = new ArrayList<>();
        for (Map.Entry<String, String> e : configs.entrySet())
            ops.add(new AlterConfigOp(new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET));
        client.incrementalAlterConfigs(Collections.singletonMap(resource(topic), (Collection<AlterConfigOp>) ops)).all().get();
    }

    /** The type of each group; a simple one, without members ever, has none. */
    @Override public Map<String, String> groups() throws Exception {
        Map<String, String> found = new HashMap<>();
        for (ConsumerGroupListing g : client.listConsumerGroups().all().get()) found.put(g.groupId(), g.isSimpleConsumerGroup() ? "" : "consumer");
        return found;
    }
}
