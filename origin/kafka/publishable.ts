/** Which topics can be published to, by what Kafka says of them. Pure. */
import { SinkError } from "../publish/sink.ts";
import { kafkaError } from "./patience.ts";
import { KAFKA_ERROR, type TopicMetadata } from "./requests.ts";

/** Undefined when there is no such topic. Throws SinkError, or what may pass. */
export function publishable(found: TopicMetadata, name: string): TopicMetadata | undefined {
  switch (found.error) {
    case KAFKA_ERROR.none:
      return found;
    case KAFKA_ERROR.unknownTopicOrPartition:
    case KAFKA_ERROR.invalidTopic:
      return undefined;
    case KAFKA_ERROR.topicAuthorizationFailed:
      throw new SinkError("forbidden", `Kafka doesn't allow this origin to publish to ${name}`);
    default:
      throw kafkaError(name, found.error);
  }
}
