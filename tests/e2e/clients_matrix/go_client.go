// SPDX-License-Identifier: Apache-2.0

// Go's net/http: go_client PORT. Half over kept connections, half not; two at a time.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
)

func ask(client *http.Client, n int) string {
	method, body := "GET", io.Reader(nil)
	switch n % 7 {
	case 3:
		method, body = "POST", strings.NewReader("some=body")
	case 5:
		method = "HEAD"
	}
	url := fmt.Sprintf("http://127.0.0.1:%s/item/%d?x=1", os.Args[1], n)
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
	return fmt.Sprintf("%d %s %d", n, method, reply.StatusCode)
}

func main() {
	kept := &http.Client{}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var lines [50]string
	var group sync.WaitGroup
	for half, client := range []*http.Client{kept, once} {
		group.Add(1)
		go func(first int, client *http.Client) {
			defer group.Done()
			for n := first; n < first+25; n++ {
				lines[n] = ask(client, n)
			}
		}(half*25, client)
	}
	group.Wait()
	fmt.Println(strings.Join(lines[:], "\n"))
}
