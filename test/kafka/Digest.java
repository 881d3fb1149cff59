import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic with Kafka's own consumer, from its beginning to the end of what is committed, and prints what it
 * found: a line of JSON for each partition, and one for each key with the SHA-256 of all its records in order.
 * test/support/record-digest.ts says how a record becomes bytes. Arguments: brokers, topic.
 */
class Digest {
  static class Key {
    final MessageDigest all = sha256();
    int partition;
    long count;
    byte[] last;
    long lastOffset;
  }

  public static void main(String[] args) throws Exception {
    Properties config = new Properties();
    config.put("bootstrap.servers", args[0]);
    config.put("isolation.level", "read_committed");
    config.put("max.poll.records", "10000");
    Map<String, Key> keys = new HashMap<>();
    StringBuilder out = new StringBuilder();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = new ArrayList<>();
      consumer.partitionsFor(args[1]).forEach(p -> partitions.add(new TopicPartition(p.topic(), p.partition())));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      Map<Integer, long[]> counts = new HashMap<>();
      for (TopicPartition one : partitions) counts.put(one.partition(), new long[2]);
      while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue()))
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
          counts.get(record.partition())[record.key() == null ? 1 : 0]++;
          if (record.key() != null)
            take(keys.computeIfAbsent(HexFormat.of().formatHex(record.key()), key -> new Key()), record);
        }
      for (TopicPartition one : partitions) {
        long[] count = counts.get(one.partition());
        out.append(
            String.format(
                "{\"partition\":%d,\"keyed\":%d,\"keyless\":%d,\"end\":%d}%n",
                one.partition(), count[0], count[1], ends.get(one)));
      }
    }
    keys.forEach(
        (key, found) ->
            out.append(
                String.format(
                    "{\"key\":\"%s\",\"partition\":%d,\"count\":%d,\"digest\":\"%s\",\"lastOffset\":%d,\"last\":\"%s\"}%n",
                    key, found.partition, found.count, hex(found.all), found.lastOffset, lastOf(found))));
    System.out.print(out);
  }

  static void take(Key key, ConsumerRecord<byte[], byte[]> record) {
    byte[] bytes = bytesOf(record);
    key.all.update(bytes);
    key.partition = record.partition();
    key.count++;
    key.last = bytes;
    key.lastOffset = record.offset();
  }

  static byte[] bytesOf(ConsumerRecord<byte[], byte[]> record) {
    int size = 28 + record.key().length + sizeOf(record.value());
    for (Header header : record.headers())
      size += 4 + header.key().getBytes(StandardCharsets.UTF_8).length + 4 + sizeOf(header.value());
    ByteBuffer bytes = ByteBuffer.allocate(size);
    bytes.putLong(record.offset()).putLong(record.timestamp());
    put(bytes, record.key());
    put(bytes, record.value());
    bytes.putInt(record.headers().toArray().length);
    for (Header header : record.headers()) {
      put(bytes, header.key().getBytes(StandardCharsets.UTF_8));
      put(bytes, header.value());
    }
    return bytes.array();
  }

  static int sizeOf(byte[] bytes) {
    return bytes == null ? 0 : bytes.length;
  }

  static void put(ByteBuffer to, byte[] bytes) {
    to.putInt(bytes == null ? -1 : bytes.length);
    if (bytes != null) to.put(bytes);
  }

  static String lastOf(Key key) {
    MessageDigest digest = sha256();
    digest.update(key.last);
    return hex(digest);
  }

  static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (java.security.NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }
}
