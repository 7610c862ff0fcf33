#!/usr/bin/env bash
# check_targets.sh [TARGET...]: `cargo check` for the platforms of the release that this machine is not; those that cannot be tried are named.
# C sources among the dependencies need a compiler for the target: CC_<target>, else zig from the path or as Python's package ziglang.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3

# A C compiler for a target by way of zig, which takes no --target of others.
zig_compiler() {
  local folder=$1 name=$2 zig
  if command -v zig >/dev/null 2>&1; then zig=zig
  elif "$python" -c 'import ziglang' 2>/dev/null; then zig="$(realpath -s "$python") -m ziglang"
  else return 1; fi
  cat >"$folder/cc" <<SCRIPT
#!/usr/bin/env bash
kept=()
for argument in "\$@"; do case \$argument in --target=* | -target=*) ;; *) kept+=("\$argument") ;; esac; done
exec $zig cc -target $name "\${kept[@]}"
SCRIPT
  printf '#!/usr/bin/env bash\nexec %s ar "$@"\n' "$zig" >"$folder/ar"
  chmod +x "$folder/cc" "$folder/ar"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
installed=$(rustup target list --installed 2>/dev/null || true)
while read -r target zig_name; do
  if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx "$target"; then continue; fi
  variable=${target//-/_}
  if ! grep -qx "$target" <<<"$installed"; then
    echo "$target: skipped: rustup target add $target"
    continue
  fi
  if [ -z "$(printenv "CC_$variable" || true)" ]; then
    if ! zig_compiler "$folder" "$zig_name"; then
      echo "$target: skipped: no C compiler for it (set CC_$variable, or pip install ziglang)"
      continue
    fi
    export "CC_$variable=$folder/cc" "AR_$variable=$folder/ar"
  fi
  cargo check --quiet --package embudo-python --package embudo-cli --package embudo-libtaos --target "$target"
  echo "$target: compiles"
done <<'TARGETS'
x86_64-pc-windows-gnu x86_64-windows-gnu
x86_64-unknown-linux-musl x86_64-linux-musl
aarch64-unknown-linux-gnu aarch64-linux-gnu
aarch64-apple-darwin aarch64-macos
TARGETS
