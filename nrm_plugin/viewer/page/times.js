// How long things take, as the page itself sees it: performance marks, and window.nrmTimes (ms).

window.nrmTimes = {};

/** Begin to measure, e.g. "nrm:click".
 * @param {string} name */
export function begin(name) {
  performance.clearMarks(name);
  performance.mark(name);
}

/** The end, once the browser has painted what was drawn: "nrm:drawn" since "nrm:click".
 * Without a beginning (or with one that is used up) nothing is measured; `since` null measures from
 * the page's own beginning.
 * @param {string} name
 * @param {string | null} since */
export function end(name, since = null) {
  if (since !== null && !performance.getEntriesByName(since, "mark").length) return;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      const mark = since === null ? null : performance.getEntriesByName(since, "mark").at(-1);
      if (since !== null && !mark) return;
      performance.mark(name);
      const elapsed = performance.now() - (mark?.startTime ?? 0);
      (window.nrmTimes[name] ??= []).push(elapsed);
      if (since !== null) performance.clearMarks(since);
    };
    channel.port2.postMessage(null);
  });
}
