#!/bin/sh
# real-server.sh PROJECT: a page, a web server, and the balanced address on lo, not announced.
set -eu
project=$1
. "$project/vagrant/provision/network.sh"

install -m 644 "$project/vagrant/files/hosts" /etc/hosts
install -m 755 "$project/vagrant/files/httpd" /etc/init.d/httpd
mkdir -p /var/www/html
echo "page of $(uname -n)" >/var/www/html/index.html
/etc/init.d/httpd start
sh "$project/resource.d/lvs-real-server" "$VIP" start
