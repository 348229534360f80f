// The OpenID provider at which users sign in: oidc-provider, with its own form for that.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import Provider from 'oidc-provider'
import { hear, say } from './conversation.mjs'

const { certificate, key } = await hear()
let answer
const server = createServer({ cert: certificate, key }, (request, response) => answer(request, response))
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const issuer = `https://localhost:${server.address().port}`
say({ issuer })

// Who its client is, is known only once it is known itself.
const { client } = await hear()
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const provider = new Provider(issuer, {
  clients: [client],
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] },
  pkce: { required: () => true },
  // By itself it reaches no addresses of one's own machine; its client's keys are there.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
})
provider.on('server_error', (_, error) => console.error(error))
provider.on('grant.error', (_, error) => console.error(error.error_description ?? error))
answer = provider.callback()
say({ ready: true })

// Until nobody listens any more.
await hear()
process.exit(0)
