// Go as an origin, which answers with what it was asked (X-Told), over HTTP/2 if it is given a certificate and a key, or as a client, which tells what it was answered.
package main

import (
	"bufio"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func serve(tls []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	told := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Told", fmt.Sprintf("%s %s %d %x", r.Method, r.RequestURI, len(body), sha1.Sum(body)))
	})
	if len(tls) == 2 {
		panic(http.ServeTLS(listener, told, tls[0], tls[1]))
	}
	panic(http.Serve(listener, told))
}

// answered gives "STATUS SIZE SHA1", or "error".
func answered(client *http.Client, method, url string) string {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return "error"
	}
	response, err := client.Do(request)
	if err != nil {
		return "error"
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusSwitchingProtocols {
		return "error"
	}
	return fmt.Sprintf("%d %d %x", response.StatusCode, len(body), sha1.Sum(body))
}

func ask() {
	client := &http.Client{
		Transport:     &http.Transport{MaxConnsPerHost: 1, DisableCompression: true},
		Timeout:       2 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		method, url, _ := strings.Cut(lines.Text(), " ")
		fmt.Println(answered(client, method, url))
	}
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2:])
	} else {
		ask()
	}
}
