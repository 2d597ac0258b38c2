#!/bin/sh
# client.sh PROJECT: a client needs nothing but names.
set -eu
project=$1

install -m 644 "$project/vagrant/files/hosts" /etc/hosts
