// Sees to it that the page hears every answer, in the order of what was asked.
//
// Gradio's client hears the answers to all events through one stream, and the server ends that stream when no event is
// open. Two things go wrong there on a machine that takes its time. An event that is asked for while the word of the
// end is on its way is answered into a stream that nobody opens: what one did never shows, and the page waits for good.
// And an answer that is heard before the client knows its event's name is kept, and applied over newer ones. So this
// stands between the client and the network: nothing is handed on while an event is being asked for, and the word of
// the end only when every event has its last answer; otherwise the stream is opened again, which the client never sees.
(() => {
  const ASK = /\/gradio_api\/queue\/join(\?|$)/;
  const HEAR = /\/gradio_api\/queue\/data(\?|$)/;
  const encoder = new TextEncoder();

  const addressOf = (input) => (typeof input === "string" ? input : input.url || String(input));
  const copyOf = (answer, body) =>
    new Response(body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });

  function parsed(text) {
    try {
      return JSON.parse(text);
    } catch {
      return {}; // a comment of the stream, or an error page
    }
  }

  // Returns a `fetch` that loses no answer; `request` is the one that goes to the network.
  function faithful(request) {
    const asked = new Set(); // promises, one for each event that is being asked for: kept when the client knows its name
    const open = new Set(); // names of the events whose last answer has not been heard
    const early = new Set(); // names of the events whose last answer was heard before the name was known

    async function ask(input, init) {
      let keep;
      const promise = new Promise((resolve) => {
        keep = resolve;
      });
      asked.add(promise);
      try {
        const answer = await request(input, init);
        const text = await answer.text();
        const name = answer.ok ? parsed(text).event_id : null;
        if (name && !early.delete(name)) open.add(name);
        const copy = copyOf(answer, text || null);
        copy.json = async () => JSON.parse(text); // at once: a browser takes its time to read a body, even one it has
        return copy;
      } finally {
        // By then the client, which waits for nothing else, knows the event.
        setTimeout(() => {
          asked.delete(promise);
          keep();
        });
      }
    }

    async function hear(input, init) {
      const { url, headers, credentials, signal } = new Request(input, init);
      const leaving = new AbortController();
      signal.addEventListener("abort", () => leaving.abort());
      const connect = () => request(url, { headers, credentials, signal: leaving.signal });
      const first = await connect();
      if (!first.ok) return first;
      const start = async (listener) => {
        for (let answer = first; await handOn(answer, listener); ) answer = await connect();
        listener.close();
      };
      return copyOf(first, new ReadableStream({ start, cancel: () => leaving.abort() }));
    }

    // Hands on what a stream says; true if it ended while events are open.
    async function handOn(answer, listener) {
      if (!answer.ok) throw new Error(`The stream of answers could not be opened again: ${answer.status}`);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const messages = (rest + value).split("\n\n");
        rest = messages.pop();
        for (const message of messages) {
          await Promise.all(asked);
          const { msg: kind, event_id: name } = parsed(message.replace(/^data: /, ""));
          if (kind === "process_completed" && !open.delete(name)) early.add(name);
          if (kind === "close_stream" && open.size) return true;
          listener.enqueue(encoder.encode(`${message}\n\n`));
        }
      }
      open.clear(); // the server let go of this page: the client says so, and nothing of before is answered any more
      early.clear();
      return false;
    }

    return (input, init) => {
      const address = addressOf(input);
      if (ASK.test(address)) return ask(input, init);
      return HEAR.test(address) ? hear(input, init) : request(input, init);
    };
  }

  globalThis.stemEventStream = { faithful };
  if (globalThis.document) globalThis.fetch = faithful(globalThis.fetch.bind(globalThis));
})();
