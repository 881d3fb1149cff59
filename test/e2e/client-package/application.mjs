/**
 * What an application does with the package that it has installed, in whatever runs it: it follows an endpoint, publishes there, leaves,
 * and comes back from where it was. Returns what it saw.
 */
export async function followAndPublish({ Client }, url, path) {
  const client = new Client(url);
  const first = client.subscribe(path);
  const seen = [];
  let position;
  for await (const update of first) {
    seen.push(update.value);
    position = update.position;
    break;
  }
  const published = [];
  for (const n of [1, 2]) published.push(await client.publish(path, { n }));
  const resumed = client.subscribe(path, { from: position });
  const positions = [];
  for await (const update of resumed) {
    seen.push(update.value);
    positions.push(update.position);
    if (positions.length === published.length) break;
  }
  const latest = await client.get(path);
  client.close();
  return {
    seen,
    recovered: resumed.recovered,
    samePositions: JSON.stringify(positions) === JSON.stringify(published),
    latest: latest?.value,
  };
}
