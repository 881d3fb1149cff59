/**
 * Takes so many updates, by the client or by a bare WebSocket and JSON.parse, reads something of each value, and resolves with the sum
 * of that. The same in Node and in a page.
 */
export function receive(how, { Client }, url, endpoint, updates) {
  return new Promise((resolve, reject) => {
    let [count, sum, end] = [0, 0, () => {}];
    const take = (value) => {
      sum += value.n;
      if (++count < updates) return;
      end();
      resolve(sum);
    };
    if (how === "client") {
      const client = new Client(url);
      end = () => client.close();
      const subscription = client.subscribe(endpoint);
      subscription.on("update", (update) => take(update.value));
      subscription.on("gap", ({ cause }) => reject(new Error(`a gap: ${cause}`)));
      subscription.on("error", ({ message }) => reject(new Error(message)));
    } else {
      const socket = new WebSocket(url.replace("http", "ws"), ["distributary.v1"]);
      end = () => socket.close();
      socket.onopen = () => socket.send("{}");
      socket.onmessage = ({ data }) => take(JSON.parse(data).v);
    }
  });
}
