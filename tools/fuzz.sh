#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET…]: run every fuzz target (or those named) for so long each, as many at a time as there are processors. Needs only
# stable Rust and a C++ compiler: the coverage that libFuzzer wants is asked of the compiler directly. Corpora are kept in the cache; a crash is
# printed and fails.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
shift
# Long runs also hold the properties that only a hunt can break.
[ "$seconds" -lt 300 ] || export EMBUDO_FUZZ_STRICT=1
if ! command -v c++ >/dev/null 2>&1; then
  echo "skipped: fuzzing needs a C++ compiler (c++)"
  exit 0
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/embudo
export CARGO_TARGET_DIR=$cache/target-fuzz
flags=(--cfg fuzzing -Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do flags+=("-Cllvm-args=-sanitizer-coverage-$option"); done
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --target "$host" --manifest-path fuzz/Cargo.toml
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then for file in fuzz/targets/*.rs; do targets+=("$(basename "$file" .rs)"); done; fi

# run TARGET: a line of what it did; fails where the target did.
run() {
  local target=$1 corpus=$cache/fuzz/$1
  mkdir -p "$corpus"
  if (cd "$corpus/.." && "$CARGO_TARGET_DIR/$host/release/$target" "$corpus" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 >"$target.log" 2>&1); then
    echo "fuzz $target: $(grep -E '^Done|stat::number_of_executed_units' "$corpus/../$target.log" | tail -n 1)"
  else
    tail -n 30 "$corpus/../$target.log"
    return 1
  fi
}

running=() passed=0 failed=0
finish_first() {
  if wait "${running[0]}"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  running=("${running[@]:1}")
}
for target in "${targets[@]}"; do
  [ ${#running[@]} -lt "$(nproc 2>/dev/null || echo 1)" ] || finish_first
  run "$target" &
  running+=($!)
done
while [ ${#running[@]} -gt 0 ]; do finish_first; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
