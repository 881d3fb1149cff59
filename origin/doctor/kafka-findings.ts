/** What Kafka's answers mean for an origin. Pure. */
/// <reference path="../kafka/kafkajs-parts.d.ts" />
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import type { Stream } from "../../shared/config/streams.ts";
import { REPLACED, unreadable, type Versions, versionOf } from "../kafka/apis.ts";
import { KAFKA_ERROR, type TopicMetadata } from "../kafka/requests.ts";
import { forgetsIn, type TopicConfig } from "../kafka/topic-config.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";
import type { Words } from "./reach.ts";
import type { Sample } from "./sample.ts";

export interface Ways {
  readonly tls: boolean;
  /** Kafka's name of the mechanism; undefined if no account is set. */
  readonly mechanism: string | undefined;
}

/** Of a broker that answered. */
export function brokerFinding(what: string, versions: Versions, { tls, mechanism }: Ways): Finding {
  const lacking = unreadable(versions);
  if (lacking.length > 0)
    return wrong(
      what,
      lacking.join("; "),
      "read from brokers that have these: see docs/kafka.md, Which logs",
    );
  const how = [tls ? "TLS" : "no TLS", mechanism === undefined ? "no account" : `SASL ${mechanism}`];
  const used = (["Metadata", "ListOffsets", "Fetch"] as const).map(
    (name) => `${name} ${versionOf(name, versions)}`,
  );
  return ok(what, `answers (${how.join(", ")}; ${used.join(", ")})`);
}

/** Why a broker that can be reached doesn't answer, from what kafkajs says. */
export function sessionWords(message: string, { tls, mechanism }: Ways): Words {
  if (/mechanism.*not supported|mechanism.*not enabled/i.test(message))
    return {
      says: `it doesn't offer SASL ${mechanism} (${message})`,
      todo: "set KAFKA_SASL_MECHANISM to one that it offers",
    };
  if (mechanism !== undefined && /authentication|credential|sasl/i.test(message))
    return {
      says: `it refuses the account: ${message}`,
      todo:
        mechanism === "OAUTHBEARER"
          ? "see what is in KAFKA_OAUTH_TOKEN_FILE"
          : "correct KAFKA_SASL_USERNAME, or the password",
    };
  if (/certificate|alert/i.test(message))
    return {
      says: `it refuses the TLS of this client: ${message}`,
      todo: "where it asks for a certificate, set KAFKA_TLS_CERT and KAFKA_TLS_KEY",
    };
  const missing = [
    tls ? "" : "if it wants TLS, set KAFKA_TLS=on",
    mechanism === undefined ? "if it wants an account, set KAFKA_SASL_MECHANISM" : "",
    "see its log",
  ];
  return {
    says: `it accepts the connection, but doesn't answer: ${message}`,
    todo: missing.filter((one) => one !== "").join("; "),
  };
}

const UPGRADE =
  "give topics that are created anew other names; Kafka has ids from 2.8 on, by inter.broker.protocol.version";

/** Whether a topic is there, and each of its partitions can be read just now. */
export function metadataFindings(topic: string, metadata: TopicMetadata): Finding[] {
  const what = `topic ${topic}`;
  const { error, partitions } = metadata;
  if (error === KAFKA_ERROR.unknownTopicOrPartition || error === KAFKA_ERROR.invalidTopic)
    return [wrong(what, "it doesn't exist", "create it, or correct streams.json")];
  if (error === KAFKA_ERROR.topicAuthorizationFailed) return [denied(what)];
  if (error !== KAFKA_ERROR.none)
    return [wrong(what, `it can't be described: ${inWords(error)}`, "see the brokers' log")];
  const named = metadata.hasOwnId ? [] : [hint(what, `it has no id: ${REPLACED}`, UPGRADE)];
  const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ partition }) => partition);
  if (leaderless.length === 0) return named;
  return [
    ...named,
    wrong(
      what,
      `${leaderless.length} of ${partitions.length} partitions have no leader (${leaderless.slice(0, 10).join(", ")})`,
      "start the brokers that hold them",
    ),
  ];
}

export function denied(what: string): Finding {
  return wrong(what, "this account may not read it", "grant it READ on the topic; none is needed for groups");
}

export function inWords(error: number): string {
  return `${createErrorFromCode(error).message} (Kafka's error ${error})`;
}

/** A topic that may be read. `offsets`: how many there are from the first to the last of all partitions. */
export function topicFindings(
  stream: Stream,
  partitions: number,
  offsets: number,
  sample: Sample,
): Finding[] {
  const what = `topic ${stream.topic}`;
  const all = `${partitions} partition${partitions === 1 ? "" : "s"} can be read`;
  const toRead =
    stream.start === "latest"
      ? "what is written from now on is read (start: latest)"
      : `${offsets} offsets are to be read where the index holds nothing yet`;
  return [ok(what, `${all}; ${toRead}`), ...sample.findings(what)];
}

/** How the topic is configured against how it is exposed. `config` undefined: that could not be asked. */
export function configFindings(stream: Stream, config: TopicConfig | undefined): Finding[] {
  const what = `topic ${stream.topic}`;
  if (config?.error !== KAFKA_ERROR.none)
    return [
      hint(
        what,
        `its cleanup.policy and retention.ms can't be seen${config && config.error !== KAFKA_ERROR.topicAuthorizationFailed ? `: ${inWords(config.error)}` : ""}`,
        "compare them with streams.json yourself, or grant DESCRIBE_CONFIGS on it",
      ),
    ];
  const policies = (config.values.get("cleanup.policy") ?? "delete")
    .split(",")
    .map((policy) => policy.trim());
  const compacts = policies.includes("compact");
  const findings: Finding[] = [];
  if (compacts && !stream.compacted)
    findings.push(
      hint(
        what,
        `it is compacted, but its stream isn't: keys not written for ${stream.windowMs / 1_000} s are forgotten`,
        'set "compacted": true in streams.json if the latest record of every key shall be kept',
      ),
    );
  if (!compacts && stream.compacted)
    findings.push(
      hint(
        what,
        "its stream is compacted, but it isn't: an index that is built anew lacks what Kafka has dropped",
        "set cleanup.policy=compact on the topic",
      ),
    );
  const retentionMs = Number(config.values.get("retention.ms") ?? -1);
  if (policies.includes("delete") && retentionMs >= 0 && retentionMs < stream.windowMs)
    findings.push(
      hint(
        what,
        `Kafka keeps ${retentionMs / 1_000} s, the window wants ${stream.windowMs / 1_000} s: an index that is built anew reaches less far back`,
        "raise retention.ms, or lower window.seconds",
      ),
    );
  const forgets = stream.publish === "nobody" ? undefined : forgetsIn(TIME_LIMITS.publishWindowMs, config);
  if (forgets !== undefined)
    findings.push(hint(what, "publishes with an Idempotency-Key are refused there (id_not_kept)", forgets));
  return findings.length > 0 ? findings : [ok(what, "its configuration fits its stream")];
}
