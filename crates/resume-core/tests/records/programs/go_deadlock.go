package main

import "fmt"
import "os"

func main() {
	fmt.Fprintln(os.Stderr, "waiting for ever")
	go func() { select {} }()
	<-make(chan int)
}
