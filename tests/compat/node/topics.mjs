// What the official @tdengine/websocket sends to /rest/tmq and how it reads the answers (its package is not in the public registry), frame by
// frame: replies matched by action and req_id as doubles, whole messages by the u64 at 26, all blocks read with the first one's schema.
import assert from "node:assert/strict";
import WebSocket from "ws";

const address = process.argv[2].replace("http://", "");
const open = async (path) => {
  const socket = new WebSocket(`ws://${address}/${path}`);
  await new Promise((done, failed) => socket.once("open", done).once("error", failed));
  const waiting = new Map();
  socket.on("message", (data, isBinary) => {
    if (isBinary) {
      waiting.get(Number(data.readBigUInt64LE(26)))(data);
      return;
    }
    const answer = JSON.parse(data.toString());
    BigInt(answer.timing);
    waiting.get(`${answer.action} ${answer.req_id}`)(answer);
  });
  let next = 0x0200000000000000n;
  const send = (action, args, key) => new Promise((done) => {
    const id = next++;
    waiting.set(key ? Number(id) : `${action} ${Number(id)}`, done);
    socket.send(JSON.stringify({ action, args: { req_id: 0, ...args } }).replace('"req_id":0', `"req_id":${id}`));
  });
  const ask = async (action, args) => { const answer = await send(action, args, false); assert.equal(answer.code, 0, answer.message); return answer; };
  return { socket, ask, frame: (action, args) => send(action, args, true) };
};

const sql = await open("ws");
await sql.ask("conn", { user: "root", password: "taosdata", db: "" });
assert.ok((await sql.ask("version", {})).version.startsWith("3."));
for (const statement of [
  "DROP TOPIC IF EXISTS node_query",
  "DROP DATABASE IF EXISTS node_topics",
  "CREATE DATABASE node_topics VGROUPS 1 WAL_RETENTION_PERIOD 3600",
  "CREATE TABLE node_topics.t (ts TIMESTAMP, v INT, n NCHAR(8))",
  "CREATE TOPIC node_query AS SELECT ts, v, n FROM node_topics.t",
  "INSERT INTO node_topics.t VALUES (1700000000000, 7, '涛思') (1700000000001, NULL, NULL)",
]) await sql.ask("query", { sql: statement });

const tmq = await open("rest/tmq");
await tmq.ask("subscribe", {
  user: "root", password: "taosdata", group_id: "g", client_id: "compat", topics: ["node_query"], offset_rest: "earliest", auto_commit: "true",
  auto_commit_interval_ms: "5000", with_table_name: "true", config: { "session.timeout.ms": "10000" }, connector: "nodejs-websocket-v3.5.0",
});
assert.deepEqual((await tmq.ask("list_topics", {})).topics, ["node_query"]);

const varint = (data, at) => { let [value, shift] = [0, 0]; for (;;) { const byte = data[at++]; value |= (byte & 0x7f) << shift; if (byte < 0x80) return [value, at]; shift += 7; } };
// Rows of a body: with names of columns, timestamps as integers.
const rows = (data) => {
  let at = 0;
  if (data[at] >= 100) at += 1 + 4 + data.readInt32LE(1);
  else for (let place = 0; place < 2; place++) at += data[at] === 1 ? 9 : 17;
  const blocks = data.readInt32LE(at);
  const [withTable, withSchema] = [data[at + 4], data[at + 5]];
  at += 6;
  const all = [];
  for (let block = 0; block < blocks; block++) {
    let length;
    [length, at] = varint(data, at);
    const raw = data.subarray(at + 18, at + length);
    at += length;
    const names = [];
    if (withSchema) {
      let columns;
      [columns, at] = varint(data, at);
      [, at] = varint(data, at);
      for (let column = 0; column < columns / 2; column++) {
        at += 2;
        [, at] = varint(data, at);
        [, at] = varint(data, at);
        let size;
        [size, at] = varint(data, at);
        names.push(data.subarray(at, at + size - 1).toString());
        at += size;
      }
    }
    if (withTable) { let size; [size, at] = varint(data, at); at += size; }
    const [count, width] = [raw.readInt32LE(8), raw.readInt32LE(12)];
    let place = 28 + 5 * width;
    const lengths = Array.from({ length: width }, (_, column) => raw.readInt32LE(place + 4 * column));
    place += 4 * width;
    const columns = lengths.map((size, column) => {
      const type = raw[28 + 5 * column];
      const isText = type === 8 || type === 10;
      const start = place + (isText ? 4 * count : Math.ceil(count / 8));
      const cells = Array.from({ length: count }, (_, row) => {
        if (isText) {
          const offset = raw.readInt32LE(place + 4 * row);
          if (offset < 0) return null;
          const text = raw.subarray(start + offset + 2, start + offset + 2 + raw.readUInt16LE(start + offset));
          return type === 8 ? text.toString() : Array.from({ length: text.length / 4 }, (_, unit) => String.fromCodePoint(text.readUInt32LE(4 * unit))).join("");
        }
        if (raw[place + (row >> 3)] & (0x80 >> (row & 7))) return null;
        return type === 9 ? raw.readBigInt64LE(start + 8 * row) : raw.readInt32LE(start + 4 * row);
      });
      place = start + size;
      return cells;
    });
    for (let row = 0; row < count; row++) all.push(Object.fromEntries(names.map((name, column) => [name, columns[column][row]])));
  }
  return all;
};

let seen = 0;
const poll = async () => {
  const answer = await tmq.ask("poll", { blocking_time: 2000, message_id: seen });
  if (!answer.have_message) return null;
  seen = answer.message_id;
  assert.deepEqual([answer.topic, answer.database, answer.message_type], ["node_query", "node_topics", 1]);
  const frame = await tmq.frame("fetch_raw_data", { message_id: seen });
  assert.equal(frame.readUInt32LE(34), 0);
  assert.equal(frame.readBigUInt64LE(42), BigInt(seen));
  assert.equal(frame.readUInt32LE(52), frame.length - 56);
  return { vgroup: answer.vgroup_id, rows: rows(frame.subarray(56)) };
};
const first = await poll();
assert.deepEqual(first.rows, [{ ts: 1700000000000n, v: 7, n: "涛思" }, { ts: 1700000000001n, v: null, n: null }]);
const places = { topic_vgroup_ids: [{ topic: "node_query", vgroup_id: first.vgroup }] };
assert.deepEqual((await tmq.ask("committed", places)).committed, [-2147467247]);
await tmq.ask("commit", { message_id: 0 });
const { committed } = await tmq.ask("committed", places);
assert.deepEqual((await tmq.ask("position", places)).position, committed);
const [assigned] = (await tmq.ask("assignment", { topic: "node_query" })).assignment;
assert.equal(assigned.vgroup_id, first.vgroup);
await tmq.ask("seek", { topic: "node_query", vgroup_id: assigned.vgroup_id, offset: assigned.begin });
assert.equal((await poll()).rows.length, 2);
const back = await tmq.ask("commit_offset", { topic: "node_query", vgroup_id: assigned.vgroup_id, offset: committed[0] });
assert.deepEqual([back.topic, back.vgroup_id, back.offset], ["node_query", assigned.vgroup_id, committed[0]]);
await tmq.ask("unsubscribe", {});
tmq.socket.close();
sql.socket.close();
console.log("node topics passed");
