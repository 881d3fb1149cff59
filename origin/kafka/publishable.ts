/** Which topics can be published to, by what Kafka says of them. Pure. */
import { SinkError } from "../publish/sink.ts";
import { foundTopic } from "./found-topic.ts";
import { KAFKA_ERROR, type TopicMetadata } from "./requests.ts";

/** Undefined when there is no such topic. Throws SinkError, or what may pass. */
export function publishable(found: TopicMetadata, name: string): TopicMetadata | undefined {
  if (found.error === KAFKA_ERROR.topicAuthorizationFailed)
    throw new SinkError("forbidden", `Kafka doesn't allow this origin to publish to ${name}`);
  return foundTopic(found, name);
}
