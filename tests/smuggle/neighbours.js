// Node as an origin, which answers with what it was asked (X-Told), over HTTP/2 if it is given a certificate and a key, or as a client, which tells what it was answered.
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const http2 = require('http2')
const readline = require('readline')

const sha1 = (pieces) => crypto.createHash('sha1').update(Buffer.concat(pieces)).digest('hex')

function gather (message, done) {
  const pieces = []
  message.on('data', (p) => pieces.push(p))
  message.on('end', () => done(pieces.reduce((n, p) => n + p.length, 0), sha1(pieces)))
}

function serve (cert, key) {
  const told = (request, response) => gather(request, (size, sum) => {
    response.setHeader('X-Told', `${request.method} ${request.url} ${size} ${sum}`)
    response.setHeader('Content-Length', '0')
    response.end()
  })
  const server = cert
    ? http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, told)
    : http.createServer({ maxHeaderSize: 65536 }, told)
  server.listen(0, '127.0.0.1', () => console.log(server.address().port))
}

// Reads lines "METHOD URL" and writes for each "STATUS SIZE SHA1", or "error".
async function ask () {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, url] = line.split(' ')
    console.log(await new Promise((resolve) => {
      const request = http.request(url, { method, agent, timeout: 2000 }, (response) => {
        response.on('error', () => resolve('error'))
        response.on('aborted', () => resolve('error'))
        gather(response, (size, sum) => resolve(response.complete ? `${response.statusCode} ${size} ${sum}` : 'error'))
      })
      request.on('error', () => resolve('error'))
      request.on('upgrade', (response, socket) => { socket.destroy(); resolve('error') })
      request.on('timeout', () => { request.destroy(); resolve('error') })
      request.end()
    }))
  }
}

process.argv[2] === 'serve' ? serve(process.argv[3], process.argv[4]) : ask()
