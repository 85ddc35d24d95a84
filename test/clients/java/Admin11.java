import java.util.Collections;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.TopicPartition;

/** What came with 1.0 and 1.1. */
public class Admin11 extends Admin011 {
    public Admin11(String bootstrap) { super(bootstrap); }

    @Override public void grow(String topic, int partitions) throws Exception {
        client.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(partitions))).all().get();
    }

    @Override public void trim(TopicPartition partition, long offset) throws Exception {
        client.deleteRecords(Collections.singletonMap(partition, RecordsToDelete.beforeOffset(offset))).all().get();
    }
}
