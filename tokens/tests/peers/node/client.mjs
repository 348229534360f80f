// An application that uses one of the libraries, as its documentation says.
import { readFileSync } from 'node:fs'
import { hear, say } from './conversation.mjs'

const task = await hear()
// PKCS #8 in PEM; without it, keys are the library's own affair.
task.key = task.key && (await key(task.key, task.algorithm))
task.fetch = task.certificate && (await withCertificate(task))
const library = await import(`./${task.library}.mjs`)
say({ done: await library[task.what](task) })
process.exit(0)

function key(pem, algorithm) {
  const kinds = {
    ES256: { name: 'ECDSA', namedCurve: 'P-256' },
    PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
    EdDSA: { name: 'Ed25519' },
  }
  const der = Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, kinds[algorithm], false, ['sign'])
}

// Node's own fetch shows no certificate: the libraries' documentation says to use undici then.
async function withCertificate({ ca, certificate }) {
  const { Agent, fetch } = await import('undici')
  const pem = readFileSync(certificate)
  const dispatcher = new Agent({ connect: { ca: readFileSync(ca), cert: pem, key: pem } })
  return (url, options) => fetch(url, { ...options, dispatcher })
}
