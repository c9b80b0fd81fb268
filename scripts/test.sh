#!/usr/bin/env bash
# npm test: set up what is missing, then everything. Each stage prints its own lines; the last line counts all of them.
#   scripts/test.sh            all stages
#   scripts/test.sh unit e2e   only these (check, native, unit, contract, integration, e2e)
set -u
cd "$(dirname "$0")/.." || exit 1
bash scripts/setup.sh || { echo '0 passed, 1 failed'; exit 1; }
stages=("$@"); [ $# -eq 0 ] && stages=(check native unit contract integration e2e)
log=$(mktemp); trap 'rm -f "$log"' EXIT
passed=0; failed=0
count() { # adds the assertions of a TAP summary line "# { total: 5, pass: 4, fail: 1 }"
  local sum; sum=$(grep -aE '^# \{ total: [0-9]+' "$log" | tail -n 1)
  local p f; p=$(sed -nE 's/.*pass: ([0-9]+).*/\1/p' <<<"$sum"); f=$(sed -nE 's/.*fail: ([0-9]+).*/\1/p' <<<"$sum")
  passed=$((passed + ${p:-0})); failed=$((failed + ${f:-0}))
}
for stage in "${stages[@]}"; do
  started=$SECONDS; status=0
  printf '\n== %s\n' "$stage"
  case $stage in
    check) if npm run --silent check; then passed=$((passed + 1)); else failed=$((failed + 1)); status=1; fi ;;
    native) if bash scripts/test-native.sh >"$log" 2>&1; then passed=$((passed + $(grep -acE '^ok ' "$log"))); tail -n 3 "$log"
            else status=1; failed=$((failed + 1)); cat "$log"; fi ;;
    *) files=(test/"$stage"/*.test.ts)
       jobs=2; [ "$stage" = e2e ] && jobs=1   # calls are heard in real time: one Asterisk at a time
       npx tap --disable-coverage --jobs="$jobs" --reporter=tap "${files[@]}" >"$log" 2>&1 || status=1
       grep -aE '^(ok|not ok|# \{ total)' "$log"
       [ $status = 0 ] || { printf -- '-- what failed:\n'; grep -aE -A 40 '^ *not ok' "$log" | head -n 400; }
       before=$failed; count; [ $status = 1 ] && [ "$failed" = "$before" ] && failed=$((failed + 1)) ;;
  esac
  printf '== %s: %s in %s s\n' "$stage" "$([ $status = 0 ] && echo passed || echo FAILED)" "$((SECONDS - started))"
done
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
