// Go: an order, and what to do when its answer is not a plain yes or no.
//
// net/http sends a request again, unasked, if a reused connection ends before a byte of the response came, and the request is a
// GET, HEAD, OPTIONS or TRACE, or bears Idempotency-Key or X-Idempotency-Key: do not set these fields on an order.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// No proxy of the environment; a timeout longer than total_timeout (9s), so that trunkline's verdict comes first.
var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{Proxy: nil}}

func target() string {
	base := os.Getenv("TRUNKLINE")
	if base == "" {
		base = "http://127.0.0.1:8642"
	}
	return base + "/binance/api/v3/order"
}

func signed(fields url.Values) string {
	fields.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
	query := fields.Encode()
	mac := hmac.New(sha256.New, []byte(os.Getenv("API_SECRET")))
	mac.Write([]byte(query))
	return query + "&signature=" + hex.EncodeToString(mac.Sum(nil))
}

func send(method, target, body string) (status int, sent string, answer []byte, err error) {
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("X-MBX-APIKEY", os.Getenv("API_KEY"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("Trunkline-Sent"), answer, err
}

func number(answer []byte) (order struct{ OrderID int64 }) {
	json.Unmarshal(answer, &order)
	return
}

// The order may be at the exchange: asks for it by the id that we gave it.
func find(ownID string) string {
	for _, wait := range []int{200, 1000, 3000} {
		time.Sleep(time.Duration(wait) * time.Millisecond)
		query := signed(url.Values{"symbol": {"BTCUSDT"}, "origClientOrderId": {ownID}})
		status, _, answer, err := send("GET", target()+"?"+query, "")
		if err == nil && status < 300 {
			return fmt.Sprint("found ", number(answer).OrderID)
		}
	}
	return "not found"
}

func place(ownID string) string {
	status, sent, answer, err := send("POST", target(), signed(url.Values{"symbol": {"BTCUSDT"}, "side": {"BUY"}, "type": {"LIMIT"},
		"timeInForce": {"GTC"}, "quantity": {"0.01"}, "price": {"64000"}, "newClientOrderId": {ownID}}))
	switch {
	case err != nil:
		return find(ownID)
	case sent == "no": // Trunkline-Sent: trunkline's own answers have it, 409 for a copy of an order as well
		return "not sent" // may be placed again, signed anew, if it is still wanted
	case sent != "" || status >= 500 || status == 408:
		return find(ownID) // partial, yes, or the exchange does not know either
	case status >= 300:
		return "refused " + string(answer)
	}
	return fmt.Sprint("placed ", number(answer).OrderID)
}

func main() {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		panic(err)
	}
	fmt.Println(place(hex.EncodeToString(id)))
}
