/** What a log on object storage says of that, in Prometheus's text. Pure. */

const WANTED = /^kafscale_s3_(\w+?)(\{[^}]*\})? (\S+)$/gm;

export function healthIn(metrics: string): string {
  const found = Array.from(metrics.matchAll(WANTED), ([, name, labels = "", value]) => {
    const of = Array.from(labels.matchAll(/"([^"]*)"/g), ([, text]) => text).join(", ");
    return `${name} ${of === "" ? "" : `(${of}) `}${value}`;
  });
  return found.length > 0 ? found.join(", ") : "its metrics tell nothing of S3";
}
