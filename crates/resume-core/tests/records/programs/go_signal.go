package main

import "os"

type node struct{ next *node }

func main() {
	os.Stderr.WriteString("starting\n")
	defer func() {
		err := recover()
		panic(err)
	}()
	var n *node
	_ = n.next.next
}
