import java.io.FileOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.internal.*;

// Writes small.log and large.log with the classes of kafka-clients 4.4.0.
public class WriteLog {
  static long offset = 0;
  static byte[] b(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

  public static void main(String[] a) throws Exception {
    all(a[0], 3, 5);
    offset = 0;
    all(a[1], 300, 450);
  }

  static void all(String file, int n, int size) throws Exception {
    try (FileOutputStream out = new FileOutputStream(file)) {
      Compression[] all = {
        Compression.NONE, Compression.gzip().build(), Compression.snappy().build(), Compression.lz4().build(),
        Compression.zstd().build(), Compression.gzip().level(9).build(), Compression.lz4().level(17).build(),
        Compression.zstd().level(22).build() };
      for (Compression c : all) {
        boolean txn = offset % 2 == 1;
        write(out, c, TimestampType.CREATE_TIME, txn ? 4000L : -1L, (short) (txn ? 2 : -1), txn ? 10 : -1, txn, n, size);
      }
      write(out, Compression.NONE, TimestampType.LOG_APPEND_TIME, 4001L, (short) 0, 2147483647, false, 2, 5);
      for (ControlRecordType t : new ControlRecordType[] {ControlRecordType.COMMIT, ControlRecordType.ABORT}) {
        MemoryRecords m = MemoryRecords.withEndTransactionMarker(offset, 1700000001000L, 6, 4000L, (short) 2,
            new EndTransactionMarker(t, 17));
        m.writeFullyTo(out.getChannel());
        offset++;
      }
    }
  }

  static void write(FileOutputStream out, Compression c, TimestampType type, long pid, short epoch, int seq,
      boolean txn, int n, int size) throws Exception {
    ByteBuffer buf = ByteBuffer.allocate(1 << 20);
    MemoryRecordsBuilder m = new MemoryRecordsBuilder(buf, (byte) 2, c, type, offset, 1700000000500L, pid, epoch, seq,
        txn, false, 6, 1 << 20);
    for (int i = 0; i < n; i++) {
      Header[] h = i % 3 == 1
          ? new Header[] {new RecordHeader("h" + i, b("v")), new RecordHeader("null", null)} : new Header[0];
      String value = i % 5 == 4 ? null : "value " + i + " " + "x".repeat(i % size);
      m.append(1700000000000L + (i * 37) % 100, i % 4 == 0 ? null : b("key" + i), b(value), h);
      offset++;
    }
    m.build().writeFullyTo(out.getChannel());
  }
}
