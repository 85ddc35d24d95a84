import java.util.Properties;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes to every partition of a topic, one record after the other, with acks=all and the client's own
 * settings, until its input ends. A line says: partition, when the record was begun, when it was acknowledged
 * (nanoseconds of the wall clock), or "error" and why.
 * Arguments: bootstrap addresses, topic, partitions.
 */
public class Writer {
    static long now() {
        java.time.Instant t = java.time.Instant.now();
        return t.getEpochSecond() * 1_000_000_000L + t.getNano();
    }

    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("acks", "all");
        p.put("key.serializer", StringSerializer.class.getName());
        p.put("value.serializer", StringSerializer.class.getName());
        KafkaProducer<String, String> producer = new KafkaProducer<>(p);
        for (int i = 0; i < Integer.parseInt(args[2]); i++) {
            int partition = i;
            Thread t = new Thread(() -> {
                for (long n = 0; ; n++) {
                    long begun = now();
                    try {
                        producer.send(new ProducerRecord<>(args[1], partition, null, "record " + n)).get();
                        System.out.println(partition + " " + begun + " " + now());
                        Thread.sleep(2);
                    } catch (InterruptedException e) {
                        return;
                    } catch (Exception e) {
                        System.out.println("error " + e);
                    }
                }
            });
            t.setDaemon(true);
            t.start();
        }
        while (System.in.read() >= 0) { }
    }
}
