// Node: the official @tdengine/rest, and what the official @tdengine/websocket sends and needs (its package is not in the public registry), frame
// by frame: replies are matched by action and req_id as doubles, integers feed BigInt(), blocks are walked by fields_lengths.
import assert from "node:assert/strict";
import tdengine from "@tdengine/rest";
import WebSocket from "ws";

const { connect, options } = tdengine;
const address = process.argv[2].replace("http://", "");
const [host, port] = address.split(":");

options.url = `${process.argv[2]}/rest/sql`;
options.path = "/rest/sql";
options.host = host;
options.port = Number(port);
options.user = "root";
options.passwd = "taosdata";
const cursor = connect(options).cursor();
for (const statement of [
  "DROP DATABASE IF EXISTS node_db",
  "CREATE DATABASE node_db",
  "CREATE TABLE node_db.t (ts TIMESTAMP, v INT, n NCHAR(10), f DOUBLE)",
  "INSERT INTO node_db.t VALUES (1700000000000, 7, '涛思', 1.5) (1700000000001, NULL, NULL, NULL)",
]) {
  const result = await cursor.query(statement);
  assert.equal(result.getErrCode() ?? 0, 0, `${statement}: ${result.getErrStr()}`);
}
const rest = await cursor.query("SELECT v, n FROM node_db.t ORDER BY ts");
assert.deepEqual(rest.getData(), [[7, "涛思"], [null, null]]);

const socket = new WebSocket(`ws://${address}/ws`);
await new Promise((done, failed) => socket.once("open", done).once("error", failed));
const waiting = new Map();
socket.on("message", (data, isBinary) => {
  if (isBinary) {
    waiting.get(data.readBigUInt64LE(26))(data);
    return;
  }
  const reply = JSON.parse(data.toString());
  BigInt(reply.timing);
  waiting.get(`${reply.action} ${reply.req_id}`)(reply);
});
let next = 0x0100000000000000n;
const reply = (key, send) => new Promise((done) => { waiting.set(key, done); send(); });
const ask = (action, args) => {
  const id = next++;
  const text = JSON.stringify({ action, args: { req_id: 0, ...args } }).replace('"req_id":0', `"req_id":${id}`);
  return reply(`${action} ${Number(id)}`, () => socket.send(text)).then((answer) => { assert.equal(answer.code, 0, answer.message); return answer; });
};
const frame = (id, resource, action, body) => {
  const head = Buffer.alloc(24);
  [id, resource, action].forEach((word, place) => head.writeBigUInt64LE(BigInt(word), place * 8));
  return Buffer.concat([head, body]);
};
const query = async (sql) => {
  const id = next++;
  const text = Buffer.from(sql);
  const length = Buffer.alloc(6);
  length.writeUInt16LE(1, 0);
  length.writeUInt32LE(text.length, 2);
  const answer = await reply(`binary_query ${Number(id)}`, () => socket.send(frame(id, 0, 6, Buffer.concat([length, text]))));
  assert.equal(answer.code, 0, answer.message);
  return answer;
};
const fetch = (result) => {
  const id = next++;
  return reply(id, () => socket.send(frame(id, result, 7, Buffer.from([1, 0]))));
};

await ask("conn", { user: "root", password: "taosdata", db: "", connector: "nodejs", tz: "UTC" });
const version = (await ask("version", {})).version;
assert.ok(version.split("-")[0].split(".").map(Number)[1] >= 3, version);
assert.equal((await query("use information_schema")).is_update, true);
await ask("options_connection", { options: [{ option: 1, value: "UTC" }, { option: 3, value: null }, { option: 2, value: null }] });
const precision = await query("select `precision` from information_schema.ins_databases where name='node_db'");
assert.equal((await fetch(precision.id))[50], 0);
const answer = await query("SELECT v, n FROM node_db.t ORDER BY ts");
assert.deepEqual([answer.fields_names, answer.fields_types, answer.fields_lengths], [["v", "n"], [4, 10], [4, 10]]);
const block = (await fetch(answer.id)).subarray(55);
const rows = block.readInt32LE(8);
let at = 28 + 5 * 2 + 4 * 2;
const bitmap = Math.ceil(rows / 8);
assert.equal(block[at] & 0xc0, 0x40);
assert.equal(block.readInt32LE(at + bitmap), 7);
at += bitmap + rows * answer.fields_lengths[0];
const offsets = [block.readInt32LE(at), block.readInt32LE(at + 4)];
assert.equal(offsets[1], -1);
at += 4 * rows + offsets[0];
const units = block.subarray(at + 2, at + 2 + block.readUInt16LE(at));
assert.equal(String.fromCodePoint(units.readUInt32LE(0), units.readUInt32LE(4)), "涛思");
assert.equal((await fetch(answer.id))[50], 1);
socket.send(JSON.stringify({ action: "free_result", args: { req_id: 1, id: answer.id } }));

const opened = await ask("stmt2_init", { single_stb_insert: true, single_table_bind_once: true });
BigInt(opened.stmt_id);
const prepared = await ask("stmt2_prepare", { stmt_id: opened.stmt_id, sql: "INSERT INTO node_db.t VALUES (?, ?, ?, ?)", get_fields: true });
assert.deepEqual([prepared.fields_count, prepared.fields.map((field) => field.bind_type)], [4, [1, 1, 1, 1]]);
const bytes = (type, cells, variable) => {
  const data = Buffer.concat(cells);
  const head = Buffer.alloc(12 + cells.length + 1 + (variable ? 4 * cells.length : 0) + 4);
  head.writeUInt32LE(head.length + data.length, 0);
  head.writeUInt32LE(type, 4);
  head.writeUInt32LE(cells.length, 8);
  head[12 + cells.length] = variable ? 1 : 0;
  if (variable) cells.forEach((cell, place) => head.writeUInt32LE(cell.length, 13 + cells.length + 4 * place));
  head.writeUInt32LE(data.length, head.length - 4);
  return Buffer.concat([head, data]);
};
const int64 = (value) => { const cell = Buffer.alloc(8); cell.writeBigInt64LE(value); return cell; };
const int32 = (value) => { const cell = Buffer.alloc(4); cell.writeInt32LE(value); return cell; };
const double = (value) => { const cell = Buffer.alloc(8); cell.writeDoubleLE(value); return cell; };
const columns = Buffer.concat([
  bytes(9, [int64(1700000000002n), int64(1700000000003n)], false),
  bytes(4, [int32(8), int32(9)], false),
  bytes(10, [Buffer.from("数据"), Buffer.from("")], true),
  bytes(7, [double(2.5), double(3.5)], false),
]);
const payload = Buffer.alloc(32);
[32 + columns.length, 1, 0, 4, 0, 0, 28, columns.length].forEach((word, place) => payload.writeUInt32LE(word, place * 4));
const bind = next++;
const bound = await reply(`stmt2_bind ${Number(bind)}`, () =>
  socket.send(frame(bind, opened.stmt_id, 9, Buffer.concat([Buffer.from([1, 0, 255, 255, 255, 255]), payload, columns]))));
assert.equal(bound.code, 0, bound.message);
BigInt(bound.stmt_id);
assert.equal((await ask("stmt2_exec", { stmt_id: opened.stmt_id })).affected, 2);
await ask("stmt2_close", { stmt_id: opened.stmt_id });
const sum = await query("SELECT SUM(v) FROM node_db.t");
assert.equal((await fetch(sum.id)).subarray(55).readBigInt64LE(28 + 5 + 4 + 1), 24n);
socket.close();
console.log("node passed");
