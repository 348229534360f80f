// Command etcd is the etcd server: upstream keeps its main package in a module that replaces its siblings by folders,
// which no other module can depend on.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
