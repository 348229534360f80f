import * as client from 'openid-client'
import { refusal, visit } from './conversation.mjs'

function authentication(task) {
  switch (task.method) {
    case 'private_key_jwt':
      return client.PrivateKeyJwt(task.kid ? { key: task.key, kid: task.kid } : task.key)
    case 'client_secret_basic':
      return client.ClientSecretBasic(task.secret)
    case 'client_secret_post':
      return client.ClientSecretPost(task.secret)
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return client.TlsClientAuth()
    case 'none':
      return client.None()
    default:
      throw new Error(`no way to authenticate: ${task.method}`)
  }
}

async function begin(task) {
  const options = { algorithm: task.discovery }
  if (task.fetch) options[client.customFetch] = task.fetch
  const metadata = task.aliases && { use_mtls_endpoint_aliases: true }
  const config = await client.discovery(new URL(task.issuer), task.client, metadata, authentication(task), options)
  const pair = task.dpop && (await client.randomDPoPKeyPair(task.dpop))
  return { config, proof: pair && { DPoP: client.getDPoPHandle(config, pair) } }
}

// For itself: a token, what it is worth, and what it is worth after it was given back.
export async function machine(task) {
  const { config, proof } = await begin(task)
  const grant = () =>
    task.grant === 'client_credentials'
      ? client.clientCredentialsGrant(config, task.parameters, proof)
      : client.genericGrantRequest(config, task.grant, task.parameters, proof)
  if (task.refused) return { refused: await refusal(grant) }
  const tokens = await grant()
  if (task.method === 'none') return { tokens }
  const known = await client.tokenIntrospection(config, tokens.access_token)
  await client.tokenRevocation(config, tokens.access_token)
  const after = await client.tokenIntrospection(config, tokens.access_token)
  return { tokens, known, after }
}

// For a user who signs in: the whole life of what comes of it.
export async function user(task) {
  const { config, proof } = await begin(task)
  // The signature of the ID token is checked too.
  client.enableNonRepudiationChecks(config)
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const expectedState = client.randomState()
  const expectedNonce = client.randomNonce()
  const request = {
    ...task.parameters,
    redirect_uri: task.redirect,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    max_age: '600',
  }
  const url = task.pushed
    ? await client.buildAuthorizationUrlWithPAR(config, request, proof)
    : client.buildAuthorizationUrl(config, request)
  const landed = new URL(await visit(url.href))
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, maxAge: 600, idTokenExpected: true }
  const tokens = await client.authorizationCodeGrant(config, landed, checks, undefined, proof)
  const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, proof)
  // The proof is made anew with the nonce that the service wants, by the library.
  const userinfo = await client.fetchUserInfo(config, next.access_token, tokens.claims().sub, proof)
  const reused = await refusal(() => client.refreshTokenGrant(config, tokens.refresh_token, undefined, proof))
  const dead = await refusal(() => client.refreshTokenGrant(config, next.refresh_token, undefined, proof))
  return {
    url: url.href,
    tokens,
    claims: tokens.claims(),
    next,
    reused,
    dead,
    after: task.method === 'none' ? null : await client.tokenIntrospection(config, next.access_token),
    userinfo,
  }
}
