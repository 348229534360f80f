import * as oauth from 'oauth4webapi'
import { refusal, visit } from './conversation.mjs'

function authentication(task) {
  switch (task.method) {
    case 'private_key_jwt':
      return oauth.PrivateKeyJwt(task.kid ? { key: task.key, kid: task.kid } : task.key)
    case 'client_secret_basic':
      return oauth.ClientSecretBasic(task.secret)
    case 'client_secret_post':
      return oauth.ClientSecretPost(task.secret)
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return oauth.TlsClientAuth()
    case 'none':
      return oauth.None()
    default:
      throw new Error(`no way to authenticate: ${task.method}`)
  }
}

async function begin(task) {
  const issuer = new URL(task.issuer)
  const options = task.fetch ? { [oauth.customFetch]: task.fetch } : {}
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: task.discovery, ...options })
  const as = await oauth.processDiscoveryResponse(issuer, discovered)
  const client = { client_id: task.client, use_mtls_endpoint_aliases: task.aliases }
  if (task.dpop) options.DPoP = oauth.DPoP(client, await oauth.generateKeyPair(task.dpop))
  return { as, client, by: authentication(task), options }
}

// Once more with the nonce that the service wants, as the library's examples do.
async function twice(request, read) {
  try {
    return await read(await request())
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return read(await request())
  }
}

// For itself: a token, what it is worth, and what it is worth after it was given back.
export async function machine(task) {
  const { as, client, by, options } = await begin(task)
  const parameters = new URLSearchParams(task.parameters)
  const grant = () =>
    twice(
      () =>
        task.grant === 'client_credentials'
          ? oauth.clientCredentialsGrantRequest(as, client, by, parameters, options)
          : oauth.genericTokenEndpointRequest(as, client, by, task.grant, parameters, options),
      (response) => oauth.processGenericTokenEndpointResponse(as, client, response),
    )
  if (task.refused) return { refused: await refusal(grant) }
  const tokens = await grant()
  const verified = task.api && (await atTheApi(as, tokens, task, options))
  if (task.method === 'none') return { tokens, verified }
  const about = async () => {
    const response = await oauth.introspectionRequest(as, client, by, tokens.access_token, options)
    return oauth.processIntrospectionResponse(as, client, response)
  }
  const known = await about()
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, by, tokens.access_token, options))
  return { tokens, verified, known, after: await about() }
}

// What an API of the token's audience does with it (RFC 9068 section 4, RFC 9449 section 7).
async function atTheApi(as, tokens, task, options) {
  const url = new URL('https://orders.example/all')
  const headers = new Headers()
  if (options.DPoP) {
    headers.set('authorization', `DPoP ${tokens.access_token}`)
    await options.DPoP.addProof(url, headers, 'GET', tokens.access_token)
  } else {
    headers.set('authorization', `Bearer ${tokens.access_token}`)
  }
  return oauth.validateJwtAccessToken(as, new Request(url, { headers }), task.api, { requireDPoP: Boolean(options.DPoP) })
}

// For a user who signs in: the whole life of what comes of it.
export async function user(task) {
  const { as, client, by, options } = await begin(task)
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const request = new URLSearchParams({
    ...task.parameters,
    client_id: task.client,
    response_type: 'code',
    redirect_uri: task.redirect,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  const url = new URL(as.authorization_endpoint)
  if (task.pushed) {
    const pushed = await twice(
      () => oauth.pushedAuthorizationRequest(as, client, by, request, options),
      (response) => oauth.processPushedAuthorizationResponse(as, client, response),
    )
    url.search = new URLSearchParams({ client_id: task.client, request_uri: pushed.request_uri })
  } else {
    url.search = request
  }
  const landed = oauth.validateAuthResponse(as, client, new URL(await visit(url.href)), state)
  const code = () => oauth.authorizationCodeGrantRequest(as, client, by, landed, task.redirect, verifier, options)
  const tokens = await twice(code, async (response) => {
    const read = await oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(as, response, options)
    return read
  })
  const refresh = (token) =>
    twice(
      () => oauth.refreshTokenGrantRequest(as, client, by, token, options),
      (response) => oauth.processRefreshTokenResponse(as, client, response),
    )
  const next = await refresh(tokens.refresh_token)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const userinfo = await twice(
    () => oauth.userInfoRequest(as, client, next.access_token, options),
    (response) => oauth.processUserInfoResponse(as, client, claims.sub, response),
  )
  const reused = await refusal(() => refresh(tokens.refresh_token))
  const dead = await refusal(() => refresh(next.refresh_token))
  return { url: url.href, tokens, claims, next, reused, dead, userinfo }
}
