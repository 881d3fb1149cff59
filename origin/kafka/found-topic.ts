/** What Kafka's answer about one topic says: that it is there, that it isn't, or why that can't be told. Pure. */
import { kafkaError } from "./patience.ts";
import { KAFKA_ERROR, type TopicMetadata } from "./requests.ts";

/** Undefined when there is no such topic. Throws what may pass. */
export function foundTopic(found: TopicMetadata, name: string): TopicMetadata | undefined {
  switch (found.error) {
    case KAFKA_ERROR.none:
      return found;
    case KAFKA_ERROR.unknownTopicOrPartition:
    case KAFKA_ERROR.invalidTopic:
      return undefined;
    default:
      throw kafkaError(name, found.error);
  }
}
