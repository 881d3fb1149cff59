/** A player, who posts scores to the edge. */
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { SCORES } from "./aggregator.ts";

const AGAIN_MS = 200;

/** Keeps connections for many players, who take turns on them. */
export const connections = (atMost: number) => new Agent({ keepAlive: true, maxSockets: atMost });

interface Answer {
  readonly position?: string;
  readonly error?: { readonly code: string; readonly retry: boolean };
}

export class Player {
  readonly name: string;
  readonly #url: string;
  readonly #token: string;
  readonly #agent: Agent;

  /** @param edge As in http://127.0.0.1:8787. */
  constructor(name: string, token: string, edge: string, agent: Agent) {
    this.name = name;
    this.#url = `${edge}/${SCORES}/${encodeURIComponent(name)}`;
    this.#token = token;
    this.#agent = agent;
  }

  /**
   * Resolves with the position that the score has in the log. Whatever is lost on the way, it is there once: what isn't answered
   * is asked again, with the same key, for `patienceMs`. Rejects with the code of what won't change.
   */
  async post(score: number, patienceMs = 60_000): Promise<string> {
    const key = randomUUID();
    const until = performance.now() + patienceMs;
    for (;;) {
      const { position, error } = await this.#ask(String(score), key).catch((): Answer => ({}));
      if (position !== undefined) return position;
      if (error !== undefined && !error.retry) throw new Error(error.code);
      if (performance.now() > until) throw new Error(error?.code ?? "no answer");
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #ask(body: string, key: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        Authorization: `Bearer ${this.#token}`,
        "Content-Length": body.length,
        "Idempotency-Key": key,
      };
      const asked = request(this.#url, { method: "POST", agent: this.#agent, headers }, async (response) => {
        try {
          let text = "";
          for await (const chunk of response.setEncoding("utf8")) text += chunk;
          resolve(JSON.parse(text) as Answer);
        } catch (error) {
          reject(error);
        }
      });
      asked.once("error", reject);
      asked.end(body);
    });
  }
}
