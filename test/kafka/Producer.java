import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own producers at the command of tests: a line of JSON in, a line of JSON out. The first argument is
 * where the brokers are.
 */
class Producer {
  static final ObjectMapper JSON = new ObjectMapper();
  static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();

  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line; (line = lines.readLine()) != null; ) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        run(args[0], JSON.readTree(line), answer);
      } catch (Exception error) {
        answer.put("error", String.valueOf(error));
      }
      System.out.println(JSON.writeValueAsString(answer));
    }
    System.exit(0);
  }

  static void run(String brokers, JsonNode command, ObjectNode answer) throws Exception {
    String name = command.get("producer").asText();
    switch (command.get("do").asText()) {
      case "open" -> PRODUCERS.put(name, open(brokers, command.get("config")));
      case "send" -> send(PRODUCERS.get(name), command, answer.putArray("offsets"));
      case "begin" -> PRODUCERS.get(name).beginTransaction();
      case "commit" -> PRODUCERS.get(name).commitTransaction();
      case "abort" -> PRODUCERS.get(name).abortTransaction();
      default -> throw new IllegalArgumentException("no such command");
    }
  }

  static KafkaProducer<byte[], byte[]> open(String brokers, JsonNode config) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", brokers);
    properties.put("max.request.size", "8388608");
    config.properties().forEach(entry -> properties.put(entry.getKey(), entry.getValue().asText()));
    KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    if (properties.containsKey("transactional.id")) producer.initTransactions();
    return producer;
  }

  static void send(KafkaProducer<byte[], byte[]> producer, JsonNode command, ArrayNode offsets) throws Exception {
    String topic = command.get("topic").asText();
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : command.get("records")) {
      ProducerRecord<byte[], byte[]> message =
          new ProducerRecord<>(
              topic,
              record.get("partition").asInt(),
              record.get("timestamp").asLong(),
              bytes(record.get("key")),
              bytes(record.get("value")));
      for (JsonNode header : record.get("headers"))
        message.headers().add(header.get(0).asText(), bytes(header.get(1)));
      sent.add(producer.send(message));
    }
    producer.flush();
    for (Future<RecordMetadata> one : sent) offsets.add(one.get().offset());
  }

  static byte[] bytes(JsonNode base64) {
    return base64.isNull() ? null : Base64.getDecoder().decode(base64.asText());
  }
}
