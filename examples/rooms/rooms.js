/**
 * A live board: each room is a key of the topic `rooms`. A record says who is in it, and a tombstone that it is free. Whoever has the
 * page open sees the same, and a click publishes.
 */
import { Client } from "@distributary/client";

const ROOMS = ["Ampere", "Curie", "Faraday", "Hopper", "Lovelace", "Noether"];

const client = new Client(document.querySelector("meta[name=edge]").content);
const [me, board, connection, problem] = ["me", "board", "connection", "problem"].map((id) =>
  document.getElementById(id),
);
const cards = new Map(ROOMS.map((room) => [client.pathOf({ topic: "rooms", key: room }), cardOf(room)]));

client.on("connection", ({ state, problem }) => {
  connection.value = problem?.message ?? state;
});

const updates = client.subscribeMany(cards.keys());
updates.on("error", ({ event }) => tell(event));
for await (const update of updates) {
  const { by } = update.value ?? {};
  cards.get(update.endpoint).show(update.deleted ? undefined : by);
}

function cardOf(room) {
  const card = document.createElement("li");
  const title = document.createElement("h2");
  const who = document.createElement("p");
  const button = document.createElement("button");
  title.textContent = room;
  card.append(title, who, button);
  board.append(card);

  const show = (by) => {
    // What people have written goes into the page as text, never as HTML.
    if (by === undefined) delete card.dataset.by;
    else card.dataset.by = by;
    who.textContent = by === undefined ? "free" : `${by} is in`;
    button.textContent = by === undefined ? "Take it" : "Free it";
  };
  button.onclick = async () => {
    const endpoint = { topic: "rooms", key: room };
    card.dataset.sending = "";
    tell(undefined);
    try {
      // Resolves when the log has it, over connections that break, too. The board changes by the update, as everybody's does.
      if ("by" in card.dataset) await client.delete(endpoint);
      else await client.publish(endpoint, { by: me.value });
    } catch (error) {
      tell(error);
    }
    delete card.dataset.sending;
  };
  show(undefined);
  return { show };
}

function tell(error) {
  problem.textContent = error?.message ?? "";
}
