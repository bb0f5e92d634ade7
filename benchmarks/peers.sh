#!/usr/bin/env bash
# Installs the programs that the measurements compare with, each in an environment of its own below benchmarks/.work.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p .work
install() {
  local name=$1
  shift
  [ -d ".work/$name" ] || python3 -m venv ".work/$name"
  ".work/$name/bin/pip" install -q --disable-pip-version-check "$@"
}
install posting 'posting==2.11.*' 'tree-sitter<0.26' # 0.26 crashes it at start
install harlequin 'harlequin==2.*'
install visidata 'visidata==3.*'
install fastdatatable 'textual-fastdatatable==0.19.*' 'textual>=8.2,<9' 'polars>=1.30,<3'
