// SPDX-License-Identifier: Apache-2.0

// Go's net/http: go_server PORT
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func answer(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	switch digit := r.URL.Path[len(r.URL.Path)-1]; {
	case digit == '9':
		w.WriteHeader(http.StatusInternalServerError)
	case digit >= '6':
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprintf(w, "you asked for %s\n", r.URL.Path)
}

func main() {
	http.HandleFunc("/", answer)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
