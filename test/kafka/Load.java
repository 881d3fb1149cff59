import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes many records from a seed, by several of Kafka's own producers in turn. Prints how many were committed,
 * with a key and without, and how many belonged to transactions that were aborted.
 *
 * Arguments: brokers, topic, seed, number of records, number of keys, fewest and most bytes of a value, producers
 * (a codec each, comma-separated; those that end in +tx write transactions), and `odd` where records shall be
 * whatever Kafka allows: tombstones, empty and binary values, no key, headers of all kinds, times out of order.
 */
class Load {
  static final int POOL = 1 << 20;
  static final long NOW = System.currentTimeMillis();

  final Random random;
  final int keys;
  final int minBytes;
  final int maxBytes;
  final boolean odd;
  final String text;
  final byte[] noise = new byte[POOL];
  final AtomicReference<Exception> failure = new AtomicReference<>();
  long keyed, keyless, aborted;

  /** One producer, with what its present transaction holds. */
  static class Writer {
    KafkaProducer<byte[], byte[]> producer;
    boolean transactional;
    int left;
    long keyed, keyless;
  }

  Load(String[] args) {
    random = new Random(Long.parseLong(args[2]));
    keys = Integer.parseInt(args[4]);
    minBytes = Integer.parseInt(args[5]);
    maxBytes = Integer.parseInt(args[6]);
    odd = args.length > 8;
    random.nextBytes(noise);
    StringBuilder words = new StringBuilder();
    while (words.length() < POOL) words.append(Integer.toString(random.nextInt(100_000), 36)).append(' ');
    text = words.toString();
  }

  public static void main(String[] args) throws Exception {
    Load load = new Load(args);
    List<Writer> writers = new ArrayList<>();
    for (String kind : args[7].split(",")) writers.add(open(args[0], args[1], kind));
    int count = Integer.parseInt(args[3]);
    for (int i = 0; i < count; i++) load.write(writers.get(load.random.nextInt(writers.size())), args[1], i);
    for (Writer writer : writers) load.end(writer, true);
    for (Writer writer : writers) writer.producer.close();
    load.check();
    System.out.printf("{\"keyed\":%d,\"keyless\":%d,\"aborted\":%d}%n", load.keyed, load.keyless, load.aborted);
    System.exit(0);
  }

  static Writer open(String brokers, String topic, String kind) {
    Properties config = new Properties();
    config.put("bootstrap.servers", brokers);
    config.put("compression.type", kind.replace("+tx", ""));
    config.put("linger.ms", "5");
    config.put("batch.size", "32768");
    config.put("acks", "all");
    config.put("enable.idempotence", "true");
    Writer writer = new Writer();
    writer.transactional = kind.endsWith("+tx");
    if (writer.transactional) config.put("transactional.id", topic + "-" + kind);
    writer.producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    if (writer.transactional) writer.producer.initTransactions();
    return writer;
  }

  void write(Writer writer, String topic, int i) throws Exception {
    if (writer.transactional && writer.left == 0) {
      end(writer, false);
      writer.producer.beginTransaction();
      // Short ones, and such as reach over several fetches of every partition.
      writer.left = 1 + (random.nextInt(8) == 0 ? random.nextInt(12_000) : random.nextInt(2_000));
    }
    if (writer.left > 0) writer.left--;
    byte[] key = key();
    if (key == null) writer.keyless++;
    else writer.keyed++;
    Integer partition = key == null ? random.nextInt(writer.producer.partitionsFor(topic).size()) : null;
    long timestamp = odd ? NOW - random.nextInt(60_000) : NOW;
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, timestamp, key, value(i));
    if (odd && random.nextInt(4) == 0) decorate(record.headers());
    writer.producer.send(record, (metadata, error) -> {
      if (error != null && !(error instanceof org.apache.kafka.common.errors.TransactionAbortedException))
        failure.compareAndSet(null, error);
    });
  }

  void end(Writer writer, boolean last) throws Exception {
    check();
    boolean abort = writer.transactional && !last && random.nextInt(3) == 0;
    // What is not sent yet when a transaction is aborted never comes to the log: half of them shall be there.
    if (abort && random.nextBoolean()) writer.producer.flush();
    if (writer.transactional && writer.keyed + writer.keyless > 0) {
      if (abort) writer.producer.abortTransaction();
      else writer.producer.commitTransaction();
    } else if (!writer.transactional && last) writer.producer.flush();
    if (abort) aborted += writer.keyed + writer.keyless;
    else {
      keyed += writer.keyed;
      keyless += writer.keyless;
    }
    writer.keyed = writer.keyless = 0;
  }

  void check() throws Exception {
    if (failure.get() != null) throw failure.get();
  }

  /** Some keys are a hundred times as frequent as others. */
  byte[] key() {
    if (odd && random.nextInt(100) == 0) return null;
    double chance = random.nextDouble();
    int number = (int) (keys * (odd ? chance * chance : chance));
    byte[] key = ("key-" + number).getBytes(StandardCharsets.UTF_8);
    if (odd && number % 50 == 0) key[3] = (byte) 0xff;
    return key;
  }

  byte[] value(int i) {
    int kind = odd ? random.nextInt(50) : 50;
    int size = minBytes + random.nextInt(maxBytes - minBytes + 1);
    int from = random.nextInt(POOL - size);
    if (kind == 0) return null;
    if (kind == 1) return new byte[0];
    if (kind < 7) return java.util.Arrays.copyOfRange(noise, from, from + size);
    if (kind < 14) return ("Größe " + text.substring(from, from + size)).getBytes(StandardCharsets.UTF_8);
    String head = "{\"n\":" + i + ", \"big\":12345678901234567890, \"pad\":\"";
    return (head + text.substring(from, from + Math.max(0, size - head.length() - 2)) + "\"}")
        .getBytes(StandardCharsets.UTF_8);
  }

  void decorate(Headers headers) {
    for (int left = 1 + random.nextInt(3); left > 0; left--) {
      int kind = random.nextInt(4);
      byte[] value =
          kind == 0 ? null
          : kind == 1 ? new byte[] {(byte) 0xc3, (byte) random.nextInt(64)}
          : ("v" + random.nextInt(1_000)).getBytes(StandardCharsets.UTF_8);
      headers.add(random.nextBoolean() ? "same" : "h\u00e9" + random.nextInt(10), value);
    }
  }
}
