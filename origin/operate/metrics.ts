/**
 * The origin's metrics: each with its type, its labels, its meaning, and where its values come from. All of them
 * are computed when they are scraped; the parts only count in plain numbers. docs/metrics-and-events.md has the same
 * table, which a test holds against this one.
 */

import { VERSION } from "../../shared/protocol/version.ts";
import { isReady } from "../reading/partitions.ts";
import {
  isOpen,
  MAX_PARTITIONS,
  MAX_TOPICS,
  type Metric,
  PARTITION,
  perEdge,
  perPartition,
  perTopic,
  perUplink,
  readOf,
  type Sample,
  single,
  UPLINK,
} from "./samples.ts";
import { heldSeconds, lagOf, stateOf, totalsOf } from "./status.ts";

export const METRICS = {
  distributary_build_info: {
    type: "gauge",
    labels: ["version", "protocol"],
    help: "1; the version of this software and of its protocol",
    read: ({ version }) => [[1, version, String(VERSION)]],
  },
  distributary_slice: {
    type: "gauge",
    labels: ["number", "count"],
    help: "1; the slice of the partitions that this origin reads, and into how many they are divided",
    read: ({ status }) =>
      status === undefined ? [] : [[1, String(status.slice.number), String(status.slice.count)]],
  },
  distributary_ready: {
    type: "gauge",
    labels: [],
    help: "1 when all partitions have been read to the end that they had at start, and every shard of every edge has its uplink",
    read: single(({ ready, edges }) => Number(ready && edges.every(({ uplinks }) => uplinks.every(isOpen)))),
  },
  distributary_read_records_total: {
    type: "counter",
    labels: ["topic"],
    help: "records read from the log",
    read: readOf(({ records }) => records),
  },
  distributary_read_bytes_total: {
    type: "counter",
    labels: ["topic"],
    help: "bytes of their keys and values, uncompressed",
    read: readOf(({ bytes }) => bytes),
  },
  distributary_read_retries_total: {
    type: "counter",
    labels: ["reason"],
    help: "times that reading or describing failed and was tried again, by the error's code; `stalled` if it hung",
    read: ({ meter }) => Array.from(meter.retries, ([reason, times]): Sample => [times, reason]),
  },
  distributary_partition_offset: {
    type: "gauge",
    labels: PARTITION,
    help: "the offset that is read next",
    read: perPartition(({ next }) => next),
  },
  distributary_partition_end_offset: {
    type: "gauge",
    labels: PARTITION,
    help: "the offset that the next record written will get, as last seen, or heard of from the log whether or not it is read",
    read: perPartition(({ end }) => end),
  },
  distributary_partition_lag: {
    type: "gauge",
    labels: PARTITION,
    help: "offsets from the next to read to the end",
    read: perPartition(lagOf),
  },
  distributary_partition_held_back_records: {
    type: "gauge",
    labels: PARTITION,
    help: "offsets past the end that are taken, but held back by a transaction that is open",
    read: perPartition(({ heldBack }) => heldBack),
  },
  distributary_partition_held_back_seconds: {
    type: "gauge",
    labels: PARTITION,
    help: "for how long nothing of them has been let go, as this origin saw it; 0 if nothing is held back",
    read: perPartition(heldSeconds),
  },
  distributary_partition_ready: {
    type: "gauge",
    labels: PARTITION,
    help: "1 once it has been read to the end that it had at start",
    read: perPartition((partition) => Number(isReady(partition))),
  },
  distributary_partition_failing: {
    type: "gauge",
    labels: PARTITION,
    help: "1 while reading it fails, or has stopped for good",
    read: perPartition(({ trouble }) => Number(trouble !== undefined)),
  },
  distributary_partitions: {
    type: "gauge",
    labels: ["state"],
    help: "partitions by state: `catching-up`, `live`, `failing`, `stopped`",
    read: ({ status }) => {
      const states = { "catching-up": 0, live: 0, failing: 0, stopped: 0 };
      for (const partition of status?.partitions ?? []) states[stateOf(partition)]++;
      return Object.entries(states).map(([state, count]) => [count, state]);
    },
  },
  distributary_topic_lag: {
    type: "gauge",
    labels: ["topic"],
    help: "the sum of the lags of all its partitions",
    read: perTopic(({ lag }) => lag),
  },
  distributary_topic_found: {
    type: "gauge",
    labels: ["topic"],
    help: "1 if the topic exists",
    read: perTopic(({ state }) => Number(state === "found")),
  },
  distributary_topic_failing: {
    type: "gauge",
    labels: ["topic"],
    help: "1 while the topic can't be described, so that new partitions of it aren't found",
    read: perTopic(({ error }) => Number(error !== undefined)),
  },
  distributary_listing_failing: {
    type: "gauge",
    labels: [],
    help: "1 while the topics that match patterns can't be listed, so that new ones aren't found",
    read: single(({ listing }) => Number(listing.error !== undefined)),
  },
  distributary_topics_left_out: {
    type: "gauge",
    labels: [],
    help: "topics that match patterns, but aren't read for being too many",
    read: single(({ listing }) => listing.leftOut),
  },
  distributary_left_out_records_total: {
    type: "counter",
    labels: ["topic", "why"],
    help: "records that have no endpoint (`keyless`, `key_too_long`) or whose value doesn't travel (`omitted`), since their partitions were begun",
    read: ({ status }) =>
      (status?.topics ?? [])
        .slice(0, MAX_TOPICS)
        .flatMap(({ topic, keyless, keyTooLong, omitted }): Sample[] => [
          [keyless, topic, "keyless"],
          [keyTooLong, topic, "key_too_long"],
          [omitted, topic, "omitted"],
        ]),
  },
  distributary_watched_endpoints: {
    type: "gauge",
    labels: [],
    help: "endpoints that somebody watches",
    read: single(({ watched }) => watched),
  },
  distributary_forwarded_updates_total: {
    type: "counter",
    labels: ["why"],
    help: "updates put on uplinks: `live`, as they came, or `replay`, in answers to attaches and after congestion",
    read: ({ status }) =>
      status === undefined
        ? []
        : [
            [status.watchCounts.forwarded, "live"],
            [status.watchCounts.replayed, "replay"],
          ],
  },
  distributary_uplink_sent_bytes_total: {
    type: "counter",
    labels: ["edge"],
    help: "bytes sent on uplinks, with what WebSocket adds",
    read: perEdge(({ sentBytes }) => sentBytes),
  },
  distributary_uplink_open: {
    type: "gauge",
    labels: UPLINK,
    help: "1 while the shard's uplink is open",
    read: perUplink((uplink) => Number(isOpen(uplink))),
  },
  distributary_uplink_backlog_bytes: {
    type: "gauge",
    labels: UPLINK,
    help: "bytes not sent yet; past 16 MiB forwarding pauses",
    read: perUplink(({ backlogBytes }) => backlogBytes),
  },
  distributary_uplink_congestions_total: {
    type: "counter",
    labels: ["edge"],
    help: "times that forwarding paused",
    read: perEdge(({ counts }) => counts.congested),
  },
  distributary_uplink_redials_total: {
    type: "counter",
    labels: ["edge", "why"],
    help: "times that an uplink was dialled again, or the edge asked again, because it was `closed` (or can't be reached) or `refused`",
    read: ({ status }) =>
      (status?.edges ?? []).flatMap(({ edge, counts }): Sample[] => [
        [counts.closed, edge, "closed"],
        [counts.refused, edge, "refused"],
      ]),
  },
  distributary_counted_endpoints: {
    type: "gauge",
    labels: [],
    help: "endpoints of which an edge wants to know how many subscribers others have",
    read: single(({ occupancy }) => occupancy.endpoints),
  },
  distributary_counts_refused_total: {
    type: "counter",
    labels: [],
    help: "times that an edge was told of nobody elsewhere, because it asks about too many endpoints, or about one that tells nobody",
    read: single(({ occupancy }) => occupancy.refused),
  },
  distributary_attaches_total: {
    type: "counter",
    labels: ["outcome"],
    help: "attaches answered: `recovered`, `log` (recovered by reading the log again), `fresh` (nothing was asked for), or what broke continuity: `horizon`, `epoch`, `ahead`",
    read: ({ status }) =>
      Object.entries(status?.watchCounts.answered ?? {}).map(([outcome, times]): Sample => [times, outcome]),
  },
  distributary_attach_waits_total: {
    type: "counter",
    labels: [],
    help: "attaches that were told to wait, because their partition wasn't read yet",
    read: single(({ watchCounts }) => watchCounts.waited),
  },
  distributary_resets_total: {
    type: "counter",
    labels: [],
    help: "times that a live endpoint was told that continuity is lost",
    read: single(({ watchCounts }) => watchCounts.reset),
  },
  distributary_gets_total: {
    type: "counter",
    labels: [],
    help: "questions for a latest record",
    read: single(({ watchCounts }) => watchCounts.asked),
  },
  distributary_publishes_total: {
    type: "counter",
    labels: ["outcome"],
    help: "publishes answered: `published`, or the code of the error; one that is sent again counts again",
    read: ({ status }) =>
      Array.from(status?.publishCounts.outcomes ?? [], ([outcome, times]): Sample => [times, outcome]),
  },
  distributary_publish_seconds_total: {
    type: "counter",
    labels: [],
    help: "time from when publishes came to this origin until they were answered",
    read: single(({ publishCounts }) => publishCounts.tookMs / 1_000),
  },
  distributary_index_records: {
    type: "gauge",
    labels: [],
    help: "records that the index holds, but for those kept beyond its bounds",
    read: single((status) => totalsOf(status).records),
  },
  distributary_index_kept_records: {
    type: "gauge",
    labels: [],
    help: "latest records of compacted topics, kept beyond the bounds",
    read: single((status) => totalsOf(status).kept),
  },
  distributary_index_bytes: {
    type: "gauge",
    labels: [],
    help: "bytes that count towards `INDEX_MAX_BYTES`",
    read: single((status) => totalsOf(status).bytes),
  },
  distributary_index_disk_bytes: {
    type: "gauge",
    labels: [],
    help: "size of the index's files, and of a damaged one that was put aside",
    read: single((status) => totalsOf(status).diskBytes),
  },
  distributary_index_horizon_age_seconds: {
    type: "gauge",
    labels: [],
    help: "age of the oldest batch of records that the index holds",
    read: single((status) => totalsOf(status).horizonAgeSeconds),
  },
  distributary_index_appends_total: {
    type: "counter",
    labels: [],
    help: "batches that the index took",
    read: single(({ index }) => index.counts.appends),
  },
  distributary_index_append_seconds_total: {
    type: "counter",
    labels: [],
    help: "time that took, with writing to the disk if that was due",
    read: single(({ index }) => index.counts.appendMs / 1_000),
  },
  distributary_index_dropped_records_total: {
    type: "counter",
    labels: [],
    help: "records that the index dropped, for their age or for its bounds",
    read: single(({ index }) => index.counts.dropped),
  },
  distributary_index_writable: {
    type: "gauge",
    labels: [],
    help: "0 while the index can't be written",
    read: single(({ indexError }) => Number(indexError === undefined)),
  },
  distributary_log_events_total: {
    type: "counter",
    labels: ["event"],
    help: "events of the log, whatever `LOG_LEVEL` is",
    read: ({ meter }) => Array.from(meter.events, ([event, times]): Sample => [times, event]),
  },
  distributary_unlisted_partitions: {
    type: "gauge",
    labels: [],
    help: "partitions past the first 1,000, which have no series of their own",
    read: single(({ partitions }) => Math.max(0, partitions.length - MAX_PARTITIONS)),
  },
} as const satisfies Record<string, Metric>;
