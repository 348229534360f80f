"""An application that uses Authlib, as its documentation says.

It reads a task as a line of JSON, and says what came of it the same way.
"""

import json
import ssl
import sys

from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AssertionClient, OAuth2Client, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.core import CodeIDToken, UserInfo
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.discovery import get_well_known_url as openid_url
from joserfc import jwt
from joserfc.jwk import KeySet, import_key
from joserfc.jws import JWSRegistry


def hear():
    return json.loads(sys.stdin.readline())


def say(what):
    print(json.dumps(what), flush=True)


def transport(task):
    context = ssl.create_default_context(cafile=task["ca"])
    if "certificate" in task:
        context.load_cert_chain(task["certificate"])
    return context


def key_of(task):
    kind = {"ES256": "EC", "PS256": "RSA", "EdDSA": "OKP"}[task["algorithm"]]
    return import_key(task["key"], kind)


def session(task, **more):
    method = task["method"]
    secret = task.get("secret")
    if method == "private_key_jwt":
        secret = key_of(task)
    # Whoever shows a certificate names itself besides, as a public client does (RFC 8705 section 2).
    named = "none" if method in ("tls_client_auth", "self_signed_tls_client_auth") else method
    client = OAuth2Client(
        task["client"],
        secret,
        token_endpoint_auth_method=named,
        revocation_endpoint_auth_method=named,
        verify=transport(task),
        **more,
    )
    if method == "private_key_jwt":
        headers = {"kid": task["kid"]} if "kid" in task else None
        client.register_client_auth_method(PrivateKeyJWT(headers=headers, alg=task["algorithm"]))
    return client


def read(client, url):
    return client.request("GET", url, withhold_token=True).raise_for_status().json()


def discover(task, client):
    """The metadata by both of its names, held to what the specifications say."""
    oauth = AuthorizationServerMetadata(read(client, get_well_known_url(task["issuer"], external=True)))
    openid = OpenIDProviderMetadata(read(client, openid_url(task["issuer"], external=True)))
    if task.get("validate"):
        oauth.validate()
        openid.validate()
    if oauth != openid or oauth["issuer"] != task["issuer"]:
        raise ValueError("the metadata is not the same by both of its names")
    return oauth


def machine(task):
    client = session(task)
    metadata = discover(task, client)
    endpoint = metadata["token_endpoint"]

    def grant():
        return client.fetch_token(endpoint, grant_type=task["grant"], **task["parameters"])

    if task.get("refused"):
        return {"refused": refusal(grant)}
    tokens = grant()
    if task["method"] == "none":
        return {"tokens": tokens}
    token = tokens["access_token"]

    def about():
        answer = client.introspect_token(metadata["introspection_endpoint"], token=token, token_type_hint="access_token")
        return answer.raise_for_status().json()

    known = about()
    client.revoke_token(metadata["revocation_endpoint"], token=token, token_type_hint="access_token").raise_for_status()
    return {"tokens": tokens, "known": known, "after": about()}


def statement(task):
    """The grant of RFC 7523 section 2.1."""
    metadata = discover(task, session(task))
    client = AssertionClient(
        metadata["token_endpoint"],
        issuer=task["client"],
        subject=task["client"],
        audience=task["issuer"],
        scope=task["parameters"].get("scope"),
        verify=transport(task),
        key=key_of(task),
        alg=task["algorithm"],
    )
    client.refresh_token()
    return {"tokens": client.token}


def refusal(request):
    try:
        request()
    except OAuthError as error:
        return error.error
    raise ValueError("it was not refused")


def user(task):
    client = session(task, redirect_uri=task["redirect"], code_challenge_method="S256")
    metadata = discover(task, client)
    verifier, nonce = generate_token(48), generate_token()
    url, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **task["parameters"]
    )
    say({"visit": url})
    endpoint = metadata["token_endpoint"]
    landed = hear()["landed"]
    tokens = dict(
        client.fetch_token(endpoint, authorization_response=landed, state=state, code_verifier=verifier)
    )
    # As Authlib's own integrations with web frameworks do it.
    keys = KeySet.import_key_set(read(client, metadata["jwks_uri"]))
    registry = JWSRegistry(algorithms=metadata["id_token_signing_alg_values_supported"], strict_check_header=False)
    token = jwt.decode(tokens["id_token"], key=keys, registry=registry)
    claims = CodeIDToken(
        token.claims,
        token.header,
        {"iss": {"values": [metadata["issuer"]]}},
        {"nonce": nonce, "client_id": task["client"], "access_token": tokens["access_token"]},
    )
    claims.validate(leeway=120)
    following = dict(client.refresh_token(endpoint, refresh_token=tokens["refresh_token"]))
    # It shows the token that it has by now.
    userinfo = UserInfo(client.get(metadata["userinfo_endpoint"]).raise_for_status().json())
    reused = refusal(lambda: client.refresh_token(endpoint, refresh_token=tokens["refresh_token"]))
    dead = refusal(lambda: client.refresh_token(endpoint, refresh_token=following["refresh_token"]))
    return {
        "url": url,
        "tokens": tokens,
        "claims": dict(claims),
        "next": following,
        "reused": reused,
        "dead": dead,
        "userinfo": dict(userinfo),
    }


if __name__ == "__main__":
    asked = hear()
    say({"done": {"machine": machine, "statement": statement, "user": user}[asked["what"]](asked)})
