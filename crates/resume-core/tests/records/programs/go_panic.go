package main

import (
	"log"
	"os"
	"runtime/debug"
	"sync"
)

func index(list []int, i int) int { return list[i] }

func main() {
	log.Println("starting")
	os.Stderr.Write(debug.Stack())
	log.Println("a second line")
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		defer func() {
			if r := recover(); r != nil {
				log.Printf("recovered: %v\n%s", r, debug.Stack())
			}
		}()
		index(nil, 1)
	}()
	group.Wait()
	log.Println("about to die")
	index([]int{1, 2, 3}, 5)
}
