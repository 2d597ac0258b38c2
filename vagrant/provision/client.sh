#!/bin/sh
# client.sh PROJECT: a client needs names and curl.
set -eu
project=$1

install -m 644 "$project/vagrant/files/hosts" /etc/hosts
if ! command -v curl >/dev/null; then
    apt-get update -q && apt-get install -qy --no-install-recommends curl
fi
