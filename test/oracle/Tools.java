import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools, one after another, in one JVM: a JVM for each would take the minutes.
 *
 * A line in: hex of class NUL stdin NUL arg NUL arg …; a line out: code TAB hex of stdout TAB hex of stderr.
 */
public class Tools {
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] ignored) throws Exception {
        PrintStream answers = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = new String(HEX.parseHex(line), StandardCharsets.UTF_8).split("\0", -1);
            answers.println(run(words));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    static String run(String[] words) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream(), err = new ByteArrayOutputStream();
        CompletableFuture<Integer> code = new CompletableFuture<>();
        List<Runnable> hooks = new CopyOnWriteArrayList<>();
        Exit.Procedure end = (status, message) -> {
            code.complete(status);
            try {
                Thread.sleep(Long.MAX_VALUE); // a tool does not go on after its exit
            } catch (InterruptedException e) {
                throw new RuntimeException(e);
            }
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        System.setOut(new PrintStream(out, true));
        System.setErr(new PrintStream(err, true));
        System.setIn(new ByteArrayInputStream(words[1].getBytes(StandardCharsets.UTF_8)));
        String[] args = Arrays.copyOfRange(words, 2, words.length);
        Thread tool = new Thread(() -> {
            try {
                Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) args);
                code.complete(0);
            } catch (java.lang.reflect.InvocationTargetException e) {
                e.getCause().printStackTrace();
                code.complete(1);
            } catch (Throwable e) {
                e.printStackTrace();
                code.complete(99);
            }
        });
        tool.setDaemon(true);
        tool.start();
        int status;
        try {
            status = code.get(60, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            status = 98;
        }
        for (Runnable hook : hooks) hook.run();
        System.out.flush();
        System.err.flush();
        return status + "\t" + HEX.formatHex(out.toByteArray()) + "\t" + HEX.formatHex(err.toByteArray());
    }
}
