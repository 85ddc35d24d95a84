import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.*;

/**
 * Kafka's own uniform assignor, asked what uniform_test.go asks ours. A line of numbers is a group:
 * topics, the size of each; members; of each how many topics it wants, which, how many partitions it has,
 * and for each of these topic and partition. The answer: how many of them Kafka takes away from members
 * that still want them, and the largest difference between two members of one topic.
 */
public class Uniform {
    static Uuid id(int topic) { return new Uuid(0, topic + 1); }

    public static void main(String[] args) {
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine();) {
            System.out.println(answer(new Scanner(lines.nextLine())));
        }
    }

    static String answer(Scanner in) {
        int[] sizes = new int[in.nextInt()];
        for (int i = 0; i < sizes.length; i++) sizes[i] = in.nextInt();
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        Set<Set<Uuid>> kinds = new HashSet<>();
        int count = in.nextInt();
        for (int m = 0; m < count; m++) {
            Set<Uuid> wants = new HashSet<>();
            for (int n = in.nextInt(); n > 0; n--) wants.add(id(in.nextInt()));
            Map<Uuid, Set<Integer>> has = new HashMap<>();
            for (int n = in.nextInt(); n > 0; n--) {
                Uuid topic = id(in.nextInt());
                int partition = in.nextInt();
                has.computeIfAbsent(topic, t -> new HashSet<>()).add(partition);
                owners.computeIfAbsent(topic, t -> new HashMap<>()).put(partition, "m" + m);
            }
            kinds.add(wants);
            members.put("m" + m, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.empty(), wants, new Assignment(Map.copyOf(has))));
        }
        GroupSpec group = new GroupSpecImpl(members, kinds.size() == 1 ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, owners);
        Map<String, MemberAssignment> result = new UniformAssignor().assign(group, new SubscribedTopicDescriber() {
            public int numPartitions(Uuid topic) { return sizes[(int) topic.getLeastSignificantBits() - 1]; }
            public Set<String> racksForPartition(Uuid topic, int partition) { return Set.of(); }
        }).members();
        int moves = 0, spread = 0;
        Map<String, Integer> load = new HashMap<>();
        for (String m : members.keySet()) {
            Map<Uuid, Set<Integer>> gets = result.containsKey(m) ? result.get(m).partitions() : Map.of();
            load.put(m, gets.values().stream().mapToInt(Set::size).sum());
            for (Map.Entry<Uuid, Set<Integer>> e : members.get(m).partitions().entrySet()) {
                if (!members.get(m).subscribedTopicIds().contains(e.getKey())) continue;
                for (int p : e.getValue()) if (!gets.getOrDefault(e.getKey(), Set.of()).contains(p)) moves++;
            }
        }
        for (String a : members.keySet()) {
            for (Uuid topic : result.containsKey(a) ? result.get(a).partitions().keySet() : Set.<Uuid>of()) {
                for (String b : members.keySet()) {
                    if (members.get(b).subscribedTopicIds().contains(topic)) spread = Math.max(spread, load.get(a) - load.get(b));
                }
            }
        }
        return moves + " " + spread;
    }
}
