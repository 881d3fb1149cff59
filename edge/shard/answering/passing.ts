/** What goes down to a watch if several slices answer, and where its link is then (L7). */
import { encodeAnswer } from "../../../shared/core/answer.ts";
import { type Frame, type Routing, routingOf } from "../../../shared/protocol/frame.ts";
import { NOTHING, raise } from "../../../shared/protocol/position.ts";
import { noteAnswer, noteUpdate, type Watch } from "../links/links.ts";
import type { AnsweringPorts } from "./answering.ts";
import type { Combined } from "./combine.ts";
import { ofMissing, type Parts } from "./scattered-ask.ts";

type Down = AnsweringPorts["down"];

export function passUpdate(down: Down, watch: Watch, frame: Frame, routing: Routing): void {
  noteUpdate(watch, routing);
  down.add(watch.link, frame);
}

/** @param parts Those of which the answer is made. */
export function passAnswer(
  down: Down,
  watch: Watch,
  { attached, frames }: Combined,
  parts: Parts,
  count: number,
): void {
  const refused = new Map([...parts].filter(([, { head }]) => head.verdict.recovered === false));
  const kept = ofMissing(watch.sent ?? NOTHING, refused, count);
  noteAnswer(watch, attached);
  for (const frame of frames) {
    const routing = routingOf(frame);
    if (routing !== undefined) noteUpdate(watch, routing);
  }
  // What one slice can't prove takes nothing away in the others.
  if (watch.sent !== undefined) raise(watch.sent, kept);
  down.addAll(watch.link, encodeAnswer(attached, frames));
}
