/**
 * Frames as version 1 had them before origins could stand by, recorded once and never changed: what an origin, a
 * shard, an object or a client of that time says. Code of today must live with them, in both directions (V3, V4).
 */

const SEPARATOR = "\u001e";

/** What an origin says to a shard. */
export const ORIGIN_SAYS = {
  hello: '0\t{"hello":{"version":1,"origin":"a"}}',
  ready: '0\t{"ready":true}',
  ping: '{"ping":1}',
  /** The answer to ask 1 of link 1, and its update. */
  attached: [
    '1\t{"attached":"/quotes/A","id":1,"position":"Zk3x9Q.0:4","head":"Zk3x9Q.0:5","to":"Zk3x9Q.0:5","horizon":"Zk3x9Q.0:1","count":1}',
    '1\t{"e":"/quotes/A","p":"Zk3x9Q.0:5","q":4,"t":1763690000123,"v":{"bid":229.1}}',
  ].join(SEPARATOR),
  live: '1\t{"e":"/quotes/A","p":"Zk3x9Q.0:7","q":5,"t":1763690000223,"h":[["trace","1"]],"s":"text"}',
  liveBytes: new Uint8Array([
    ...new TextEncoder().encode('1\t{"e":"/quotes/A","p":"Zk3x9Q.0:9","q":7,"n":2}\n'),
    0xff,
    0x00,
  ]),
  /** The answer to ask 0 of link 1: nothing is missing after offset 9, and one update follows. */
  caughtUp: [
    '1\t{"attached":"/quotes/A","id":0,"position":"Zk3x9Q.0:9","head":"Zk3x9Q.0:11","recovered":true,"to":"Zk3x9Q.0:11","horizon":"Zk3x9Q.0:1","count":1}',
    '1\t{"e":"/quotes/A","p":"Zk3x9Q.0:11","q":9,"d":true}',
  ].join(SEPARATOR),
  waiting: '1\t{"waiting":"/quotes/A","id":1}',
  latest: [
    '?1\t{"latest":"/quotes/A","position":"Zk3x9Q.0:5","count":1}',
    '?1\t{"e":"/quotes/A","p":"Zk3x9Q.0:5","q":4,"t":1763690000123,"v":{"bid":229.1}}',
  ].join(SEPARATOR),
  refused: '?1\t{"error":{"code":"unavailable","message":"the source isn\'t ready yet","retry":true}}',
} as const;

/** What a shard says to an origin. */
export const SHARD_SAYS = {
  hello: '{"hello":{"version":1,"shard":0,"shards":1,"generation":7}}',
  attach: '{"attach":"/t/a","id":1,"link":1}',
  attachFrom: '{"attach":"/t/a","id":0,"link":1,"from":"e.0:0"}',
  detach: '{"detach":"/t/a","link":1}',
  get: '{"get":"/t/a","id":13}',
} as const;

/** What a shard says to an object. */
export const SHARD_SAYS_DOWN = {
  hello: '{"hello":{"version":1,"shard":0,"generation":7,"dial":3}}',
  attached: [
    '{"attached":"/quotes/A","id":1,"position":"Zk3x9Q.0:4","head":"Zk3x9Q.0:5","to":"Zk3x9Q.0:5","horizon":"Zk3x9Q.0:1","count":1}',
    '{"e":"/quotes/A","p":"Zk3x9Q.0:5","q":4,"t":1763690000123,"v":{"bid":229.1}}',
  ].join(SEPARATOR),
  live: '{"e":"/quotes/A","p":"Zk3x9Q.0:7","q":5,"t":1763690000223,"s":"text"}',
} as const;

/** What an object says to its shard. */
export const OBJECT_SAYS = {
  attach: '{"attach":"/quotes/A","id":1}',
  attachFrom: '{"attach":"/quotes/A","id":2,"from":"Zk3x9Q.0:5"}',
  empty: '{"empty":"/quotes/A"}',
  occupied: '{"occupied":"/quotes/A"}',
} as const;

/** What a subscriber says, and what it reads. */
export const SUBSCRIBER_SAYS = {
  resume: '{"id":1,"sub":"/quotes/A","from":"Zk3x9Q.0:5"}',
} as const;

export const SUBSCRIBER_HEARS = {
  verdict: '{"id":0,"ok":{"position":"Zk3x9Q.0:4","head":"Zk3x9Q.0:5"}}',
  update: '{"e":"/quotes/A","p":"Zk3x9Q.0:5","q":4,"t":1763690000123,"v":{"bid":229.1}}',
  live: '{"e":"/quotes/A","p":"Zk3x9Q.0:7","q":5,"t":1763690000223,"s":"text"}',
  recovered: '{"id":1,"ok":{"position":"Zk3x9Q.0:5","head":"Zk3x9Q.0:7","recovered":true}}',
  wait: '{"id":0,"wait":{"code":"unavailable","message":"the source of this endpoint can\'t answer just now","retry":true}}',
  reset: '{"reset":"/quotes/A","position":"Zk3x9Q.0:20","head":"Zk3x9Q.0:21","cause":"horizon"}',
  error: '{"id":2,"error":{"code":"unsupported","message":"this socket carries /quotes/A","retry":false}}',
} as const;
