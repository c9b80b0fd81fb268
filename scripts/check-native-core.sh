#!/usr/bin/env bash
# native/core stays free of Node and of the outside world: no N-API, no printing, no aborting, no exceptions, no JS names.
set -euo pipefail
cd "$(dirname "$0")/.."
if grep -rnE '\b(napi|node_api|v8)\.h\b|\b(printf|fprintf|sprintf|puts|perror|abort|exit|assert)\(|std::c(out|err)|\bthrow\b|#include <(iostream|cstdio|stdio.h)>' native/core; then
  echo "native/core must not contain the lines above (see native/README.md)" >&2
  exit 1
fi
echo "native/core: clean"
