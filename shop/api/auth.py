"""Signing in over the API."""

from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.problems import Problem
from shop.ratelimits import SIGN_IN_LIMITS, enforce


class CredentialsSerializer(serializers.Serializer[None]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=4096, trim_whitespace=False)


class TokenSerializer(serializers.Serializer[None]):
    token = serializers.CharField()


class AuthToken(APIView):
    """Trade an email address and password for the account's token."""

    authentication_classes: list[type[BaseAuthentication]] = []

    @extend_schema(
        operation_id="auth_token", request=CredentialsSerializer, responses=TokenSerializer
    )
    def post(self, request: Request) -> Response:
        enforce(request=request, name="sign-in", limits=SIGN_IN_LIMITS)
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        user = authenticate(request._request, **credentials.validated_data)
        if user is None:
            raise Problem(
                status=400,
                code="invalid_credentials",
                detail="No account has this email address and password.",
            )
        if is_mfa_enabled(user):
            raise Problem(
                status=403,
                code="second_factor_required",
                detail="This account signs in with a second factor, which the API does not take.",
            )
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})
