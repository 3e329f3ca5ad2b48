const test = require("node:test");
const assert = require("node:assert/strict");
require("../../app/ui/static/event_stream.js");

const { faithful } = globalThis.stemEventStream;
const JOIN = "http://studio/gradio_api/queue/join?";
const DATA = "http://studio/gradio_api/queue/data?session_hash=s";
const END = { msg: "close_stream" };
const done = (name) => ({ msg: "process_completed", event_id: name, output: `of ${name}` });
const later = () => new Promise((resolve) => setTimeout(resolve, 5));

// A server whose joins are answered when the test says so, and whose streams say what the test says.
function scriptedServer() {
  const joins = [];
  const streams = [];
  const encoder = new TextEncoder();
  const request = async (input, init) => {
    if (String(input).startsWith(JOIN)) return new Promise((resolve, reject) => joins.push({ resolve, reject }));
    if (!String(input).startsWith(DATA)) return new Response("elsewhere");
    const stream = { isLeft: false };
    init.signal.addEventListener("abort", () => {
      stream.isLeft = true;
    });
    const body = new ReadableStream({
      start(controller) {
        stream.write = (text) => controller.enqueue(encoder.encode(text));
        stream.say = (...messages) =>
          stream.write(messages.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""));
        stream.end = () => controller.close();
      },
    });
    streams.push(stream);
    return new Response(body, { status: 200, headers: { "content-type": "text/event-stream" } });
  };
  const name = (at, event_id) => joins[at].resolve(new Response(JSON.stringify({ event_id })));
  return { request, joins, streams, name };
}

// What the client hears: messages in order, then "over" when the stream is.
async function listen(fetchIt, heard, signal) {
  const answer = await fetchIt(new Request(DATA, { signal }));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (;;) {
      const { value, done: isOver } = await reader.read();
      if (isOver) return heard.push("over");
      for (const line of value.split("\n\n").filter(Boolean)) heard.push(JSON.parse(line.slice(6)));
    }
  };
  read().catch((error) => heard.push(error.name));
  return reader;
}

async function asked(server, fetchIt, name) {
  const answer = fetchIt(JOIN, { method: "POST" });
  server.name(server.joins.length - 1, name);
  assert.equal((await (await answer).json()).event_id, name);
  await later();
}

// A page that has asked for the event "a" and hears the stream of answers.
async function begun() {
  const server = scriptedServer();
  const fetchIt = faithful(server.request);
  const heard = [];
  await asked(server, fetchIt, "a");
  await listen(fetchIt, heard);
  return { server, fetchIt, heard };
}

test("a stream in which every event was answered ends as the server says", async () => {
  const { server, heard } = await begun();

  server.streams[0].say(done("a"), END);
  server.streams[0].end();
  await later();

  assert.deepEqual(heard, [done("a"), END, "over"]);
  assert.equal(server.streams.length, 1);
});

test("an event asked for while the end was on its way is answered through a stream opened again", async () => {
  const { server, fetchIt, heard } = await begun();
  server.streams[0].say(done("a"));
  await later();
  await asked(server, fetchIt, "b");

  server.streams[0].say(END);
  server.streams[0].end();
  await later();
  assert.deepEqual(heard, [done("a")]);
  server.streams[1].say(done("b"), END);
  server.streams[1].end();
  await later();

  assert.deepEqual(heard, [done("a"), done("b"), END, "over"]);
  assert.equal(server.streams.length, 2);
});

test("the word of the end waits for an event that is being asked for", async () => {
  const { server, fetchIt, heard } = await begun();
  const answer = fetchIt(JOIN, { method: "POST" });

  server.streams[0].say(done("a"), END);
  server.streams[0].end();
  await later();
  assert.equal(server.streams.length, 1);
  server.name(1, "b");
  await answer;
  await later();

  assert.equal(server.streams.length, 2);
  assert.deepEqual(heard, [done("a")]);
});

test("nothing is heard between an event's being asked for and its name's being known", async (t) => {
  const json = Response.prototype.json;
  t.mock.method(Response.prototype, "json", async function slowly() {
    await later();
    return json.call(this);
  });
  const { server, fetchIt, heard } = await begun();
  const slow = fetchIt(JOIN, { method: "POST" });
  await asked(server, fetchIt, "newer");

  server.streams[0].say(done("slow"), done("newer"));
  await later();
  assert.deepEqual(heard, []);
  const knowing = slow.then((answer) => answer.json()).then(({ event_id }) => heard.push(`${event_id} is known`));
  server.name(1, "slow");
  await knowing;
  await later();

  assert.deepEqual(heard, ["slow is known", done("slow"), done("newer")]);
});

test("an event that could not be asked for keeps nothing waiting", async () => {
  for (const fail of [
    (join) => join.reject(new TypeError("no network")),
    (join) => join.resolve(new Response("full", { status: 503 })),
  ]) {
    const { server, fetchIt, heard } = await begun();
    const failing = fetchIt(JOIN, { method: "POST" }).then(
      (answer) => answer.status,
      (error) => error.name,
    );
    server.streams[0].say(done("a"), END);
    server.streams[0].end();
    fail(server.joins[1]);

    assert.ok([503, "TypeError"].includes(await failing));
    await later();
    assert.deepEqual(heard, [done("a"), END, "over"]);
  }
});

test("an answer heard before its event's name was known leaves nothing open", async () => {
  const { server, fetchIt, heard } = await begun();
  server.streams[0].say(done("b")); // nobody was asking: the name comes later all the same
  await later();
  await asked(server, fetchIt, "b");

  server.streams[0].say(done("a"), END);
  server.streams[0].end();
  await later();

  assert.deepEqual(heard, [done("b"), done("a"), END, "over"]);
});

test("messages are whole however the network cuts them", async () => {
  const { server, heard } = await begun();
  const text = `data: ${JSON.stringify({ ...done("a"), words: "ein Wort, größer\\n\\n" })}\n\n`;

  for (const letter of text) server.streams[0].write(letter);
  await later();

  assert.deepEqual(heard, [{ ...done("a"), words: "ein Wort, größer\\n\\n" }]);
});

test("a stream that breaks off is over, and what was open is forgotten", async () => {
  const server = scriptedServer();
  const fetchIt = faithful(server.request);
  const heard = [];
  await asked(server, fetchIt, "lost");
  await listen(fetchIt, heard);
  server.streams[0].end();
  await later();
  assert.deepEqual(heard, ["over"]);

  await asked(server, fetchIt, "a");
  await listen(fetchIt, heard);
  server.streams[1].say(done("a"), END);
  server.streams[1].end();
  await later();

  assert.deepEqual(heard, ["over", done("a"), END, "over"]);
});

test("who stops listening leaves the network too", async () => {
  const server = scriptedServer();
  const fetchIt = faithful(server.request);
  const aborted = new AbortController();
  await (await listen(fetchIt, [])).cancel();
  await listen(fetchIt, [], aborted.signal);
  aborted.abort();
  await later();

  assert.deepEqual(
    server.streams.map((stream) => stream.isLeft),
    [true, true],
  );
});

test("everything else goes past", async () => {
  const fetchIt = faithful(scriptedServer().request);
  assert.equal(await (await fetchIt("http://studio/media/x")).text(), "elsewhere");
});
